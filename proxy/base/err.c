/* err - words for the error codes. */
#include "base/err.h"

const char *err_text(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "ok";
    case ERR_NOMEM:
        return "out of memory";
    case ERR_IO:
        return "input or output failed";
    case ERR_LIMIT:
        return "limit reached";
    case ERR_SYNTAX:
        return "malformed";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_CLOSED:
        return "closed";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_BUSY:
        return "busy";
    case ERR_ABSENT:
        return "absent";
    }
    return "unknown error";
}
