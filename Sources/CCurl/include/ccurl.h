// Typed wrappers for libcurl, whose options are variadic.
#pragma once
#include <curl/curl.h>
