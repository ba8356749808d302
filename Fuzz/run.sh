#!/bin/bash
# Fuzzes the HTTP and multipart parsers, and a connection without its socket, under the address sanitizer.
#   Fuzz/run.sh [runs]     10,000,000 inputs by default; the corpus is kept in .build/fuzz
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10000000}
work=.build/fuzz
mkdir -p "$work/corpus"

# The modules that the HTTP target imports, then its files and the fuzzer as one.
printf 'module CLinux {\n  header "%s"\n}\n' "$PWD/Sources/CLinux/include/clinux.h" > "$work/module.modulemap"
clang -O2 -fsanitize=address -c Sources/CLinux/clinux.c -I Sources/CLinux/include -o "$work/clinux.o"
common=(-O -parse-as-library -package-name clserver -swift-version 6 -enable-upcoming-feature InternalImportsByDefault
  -I "$work" -Xcc "-fmodule-map-file=$work/module.modulemap")
swiftc "${common[@]}" -sanitize=address -wmo -module-name JSONTree -emit-module \
  -emit-module-path "$work/JSONTree.swiftmodule" -emit-object -o "$work/JSONTree.o" Sources/JSONTree/*.swift
swiftc "${common[@]}" -sanitize=fuzzer,address -module-name Fuzzer Sources/HTTP/*/*.swift Fuzz/*.swift \
  "$work/JSONTree.o" "$work/clinux.o" -o "$work/parser-fuzzer"

# The first byte chooses what reads the rest: 0 to 3 the parser of requests, 4 and 5 a connection, 6 and 7 the parser of
# multipart bodies; odd ones with small limits.
seed() { printf "$2" > "$work/corpus/seed-$1"; }
seed get '0GET /a/b%%20c?x=1&y=%%2B+z HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n'
seed pipelined '0GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
seed length '0POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'
seed chunked '0POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n'
seed small '1POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
seed options '0OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n'
seed absolute '0GET http://h:80/p?q HTTP/1.1\r\nHost: h\r\n\r\n'
seed refused '4GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /n HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /a HTTP/1.1\r\nHost: a\r\n\r\n'
seed upload '4POST /t/1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n01234567890123456789'
seed upload-small '5POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n'
seed multipart '6--b\r\nContent-Disposition: form-data; name="a"; filename="f"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n'
seed multipart-small '7--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--'

SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 nice -n 19 "$work/parser-fuzzer" \
  -runs="$runs" -max_len=1024 -dict=Fuzz/http.dict -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus"
