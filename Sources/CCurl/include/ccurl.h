// Typed wrappers for libcurl, whose options are variadic and so invisible to Swift.
// The parentheses around the names step past curl's type-checking macros.
#pragma once
#include <curl/curl.h>

static inline CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
  return (curl_easy_setopt)(handle, option, value);
}

/// libcurl copies the string (all options but CURLOPT_POSTFIELDS, which is not to be set through this).
static inline CURLcode ccurl_set_string(CURL *handle, CURLoption option, const char *value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode ccurl_set_headers(CURL *handle, struct curl_slist *headers) {
  return (curl_easy_setopt)(handle, CURLOPT_HTTPHEADER, headers);
}

static inline CURLcode ccurl_set_mime(CURL *handle, curl_mime *mime) {
  return (curl_easy_setopt)(handle, CURLOPT_MIMEPOST, mime);
}

static inline CURLcode ccurl_set_write_function(CURL *handle, curl_write_callback function) {
  return (curl_easy_setopt)(handle, CURLOPT_WRITEFUNCTION, function);
}

static inline CURLcode ccurl_set_read_function(CURL *handle, curl_read_callback function) {
  return (curl_easy_setopt)(handle, CURLOPT_READFUNCTION, function);
}

static inline CURLcode ccurl_set_seek_function(CURL *handle, curl_seek_callback function) {
  return (curl_easy_setopt)(handle, CURLOPT_SEEKFUNCTION, function);
}

static inline CURLcode ccurl_set_progress_function(CURL *handle, curl_xferinfo_callback function) {
  return (curl_easy_setopt)(handle, CURLOPT_XFERINFOFUNCTION, function);
}

static inline CURLcode ccurl_get_long(CURL *handle, CURLINFO info, long *value) {
  return (curl_easy_getinfo)(handle, info, value);
}
