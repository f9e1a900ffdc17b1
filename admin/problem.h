#ifndef ADMIN_PROBLEM_H
#define ADMIN_PROBLEM_H
/* problem - errors as RFC 9457 problem details. */
#include "admin/json.h"
#include "admin/request.h"

enum problem {
    PROBLEM_BAD_REQUEST,
    PROBLEM_LOGIN_NEEDED,
    PROBLEM_LOGIN_WRONG,
    PROBLEM_SCOPE,
    PROBLEM_CROSS_SITE,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD,
    PROBLEM_NO_FILE,
    PROBLEM_TOO_LARGE,
    PROBLEM_MEDIA_TYPE,
    PROBLEM_WRONG_HOST,
    PROBLEM_INVALID,
    PROBLEM_CONFIG_INVALID,
    PROBLEM_TOO_MANY,
    PROBLEM_INTERNAL,
    PROBLEM_BUSY,
};

/* The whole answer. */
void problem_reply(struct admin_request *request, enum problem problem, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same, left open for members of its own; close with json_object_end. */
void problem_begin(struct admin_request *request, enum problem problem, struct json *json,
                   const char *fmt, ...) PRINTF_LIKE(4, 5);
/* GET /problems/NAME: what a type means. */
void problem_page(struct admin_request *request);
#endif
