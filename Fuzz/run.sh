#!/bin/bash
# Fuzzes the HTTP and multipart parsers under the address sanitizer.
#   Fuzz/run.sh [runs]     10,000,000 inputs by default; the corpus is kept in .build/fuzz
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10000000}
work=.build/fuzz
mkdir -p "$work/corpus"

swiftc -O -parse-as-library -package-name clserver -sanitize=fuzzer,address \
  Sources/HTTP/Messages/*.swift Sources/HTTP/Parser/*.swift Sources/HTTP/Multipart/*.swift \
  Fuzz/ParserFuzzer.swift -o "$work/parser-fuzzer"

# The first byte chooses the parser: 0 and 1 requests, 6 and 7 multipart; odd ones with small limits.
seed() { printf "$2" > "$work/corpus/seed-$1"; }
seed get '0GET /a/b%%20c?x=1&y=%%2B+z HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n'
seed pipelined '0GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
seed length '0POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'
seed chunked '0POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n'
seed small '1POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
seed options '0OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n'
seed absolute '0GET http://h:80/p?q HTTP/1.1\r\nHost: h\r\n\r\n'
seed multipart '6--b\r\nContent-Disposition: form-data; name="a"; filename="f"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n'
seed multipart-small '7--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--'

SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 nice -n 19 "$work/parser-fuzzer" \
  -runs="$runs" -max_len=1024 -dict=Fuzz/http.dict -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus"
