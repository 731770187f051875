#pragma once

#include <curl/curl.h>

// Swift can't call C functions with variable arguments: one inline function for each kind of argument that is used.

typedef size_t (*ledger_curl_sink)(char *bytes, size_t size, size_t count, void *context);
typedef int (*ledger_curl_watch)(void *context, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

static inline CURLcode ledger_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ledger_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ledger_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ledger_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ledger_curl_set_sink(CURL *handle, CURLoption option, ledger_curl_sink sink) {
    return curl_easy_setopt(handle, option, sink);
}

static inline CURLcode ledger_curl_set_watch(CURL *handle, ledger_curl_watch watch) {
    return curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, watch);
}

static inline long ledger_curl_status(CURL *handle) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
