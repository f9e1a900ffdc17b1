#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H
/*
 * status - status codes and what a cache may assume about them (RFC 9110 section 15).
 * Threads: any; pure.
 */
#include <stdbool.h>

/* The registered reason phrase, or "Unknown". Static. */
const char *http_status_reason(unsigned status);
/* Heuristically cacheable (RFC 9110 15.1): 200 203 204 206 300 301 308 404 405 410 414 501. */
bool http_status_is_heuristic(unsigned status);
/* Codes whose caching rules we know: lets must-understand responses in (RFC 9111 5.2.2.3). */
bool http_status_is_understood(unsigned status);
/* 1xx, 204 and 304 never have a body (RFC 9112 6.3). */
bool http_status_has_body(unsigned status);
#endif
