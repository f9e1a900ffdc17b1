#ifndef BASE_CHECK_H
#define BASE_CHECK_H
/*
 * check - assertions for our own bugs. On in every build; never reachable by bytes from a client,
 * an origin, the disk or a configuration file.
 *
 * A struct that crosses a `void *` starts with `uint32_t magic`, set at birth and wiped at death;
 * CHECK_OBJ proves at entry that the pointer is what it claims to be.
 */
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_index, first) __attribute__((format(printf, fmt_index, first)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Prints the failed expression and its place to standard error, then aborts. */
_Noreturn void check_failed(const char *expr, const char *file, int line, const char *func);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (UNLIKELY(!(cond))) {                                                                   \
            check_failed(#cond, __FILE__, __LINE__, __func__);                                     \
        }                                                                                          \
    } while (0)

#define CHECK_OBJ(obj, wanted_magic) CHECK((obj) != NULL && (obj)->magic == (wanted_magic))

#endif
