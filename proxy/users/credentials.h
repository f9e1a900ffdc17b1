#ifndef USERS_CREDENTIALS_H
#define USERS_CREDENTIALS_H
/*
 * credentials - a name and a password out of a field value of the Basic scheme (RFC 7617 2, RFC 9110
 * 11.6.2): "Basic" 1*SP and, in base64, name ":" password.
 *
 * Strict: whole groups of base64 in one spelling (RFC 4648 3.5, 4), no control bytes; the name holds no
 * colon, the password may.
 *
 * Threads: any; pure. Ownership: the spans point into the struct itself; wipe it when done.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define USERS_NAME_MAX 255u
#define USERS_PASSWORD_MAX 511u /* more is nothing to crypt(3) */

struct users_credentials {
    struct span name, password;
    char room[USERS_NAME_MAX + 1 + USERS_PASSWORD_MAX];
};

enum users_form {
    USERS_FORM_GOOD,
    USERS_FORM_OTHER, /* another scheme */
    USERS_FORM_BAD,   /* Basic, but not what it has to be */
};

enum users_form users_credentials_read(struct span value, struct users_credentials *out);
/* Overwrites what was read. */
void users_credentials_wipe(struct users_credentials *credentials);
#endif
