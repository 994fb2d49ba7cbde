#pragma once
#include <curl/curl.h>

// Swift cannot call C's variadic curl_easy_setopt and curl_easy_getinfo; these have one type each.
static inline CURLcode sendense_curl_set_long(CURL *curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode sendense_curl_set_offset(CURL *curl, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode sendense_curl_set_pointer(CURL *curl, CURLoption option, const void *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode sendense_curl_set_write(CURL *curl, CURLoption option, curl_write_callback callback) {
    return curl_easy_setopt(curl, option, callback);
}
static inline CURLcode sendense_curl_get_long(CURL *curl, CURLINFO info, long *value) {
    return curl_easy_getinfo(curl, info, value);
}
static inline CURLcode sendense_curl_get_offset(CURL *curl, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(curl, info, value);
}
// CURL_GLOBAL_ALL is an expression that Swift does not import.
static inline CURLcode sendense_curl_global_init(void) {
    return curl_global_init(CURL_GLOBAL_ALL);
}
