#ifndef CONF_CERTIFICATE_H
#define CONF_CERTIFICATE_H
/*
 * certificate - files of certificates and keys, read once, with the configuration: no worker ever
 * opens one. What was read is kept with the snapshot and shared by all connections.
 */
#include "base/err.h"
#include "conf/conf.h"

/* All these belong to the list, newest first; a file asked for twice is read once. */
struct conf_certificates {
    struct conf_certificate *first;
};

/* Certificates to believe, in PEM. path NULL: those this machine comes with. *problem: what is wrong
 * with it, to stand behind the file's name; static. */
MUST_USE enum err conf_certificate_trust(struct conf_certificates *list, const char *path,
                                         const struct conf_certificate **out, const char **problem);
/* A certificate to show, those that lead to its CA behind it, and its key; in PEM. *blamed: which of
 * the two files has the problem. */
MUST_USE enum err conf_certificate_identity(struct conf_certificates *list, const char *path,
                                            const char *key_path,
                                            const struct conf_certificate **out,
                                            const char **blamed, const char **problem);
void conf_certificates_free(struct conf_certificates *list);
#endif
