#ifndef ACCESS_ACCESS_PRIVATE_H
#define ACCESS_ACCESS_PRIVATE_H
/* access_private - what access.c (rules) and access_condition.c (one condition) share. */
#include "access/access.h"
#include "base/pattern.h"
#include "conf/conf.h"

/* What judging needs beside the rules; changes under const. */
struct access_room {
    struct pattern_room *patterns; /* NULL: no rule asks for one, or no memory */
    char *url;                     /* of the request being judged */
    size_t url_size, url_len;      /* url_len 0: not written yet */
    int64_t minute;                /* wall clock, of the two below; INT64_MIN: none */
    unsigned day;                  /* 0 Sunday */
    unsigned day_minute;           /* local time */
};

enum access_truth {
    ACCESS_NO,
    ACCESS_YES,
    ACCESS_LATER,   /* the response will tell */
    ACCESS_UNKNOWN, /* the address would tell */
};

struct access {
    const struct conf *conf;
    const struct conf_acl *acl;
    const struct access_reasons *reasons; /* one for each rule */
    struct access_room *room;
    bool reaches_inside; /* a rule allows addresses that are not public */
};

/* One judgement on its way. */
struct access_case {
    const struct access *access;
    const struct access_facts *facts;
    struct access_verdict *out;
    uint32_t class; /* enum conf_acl_to of the address, CONF_ACL_SELF or-ed; 0: not known */
};

/* Does this condition of this rule hold? */
enum access_truth access_condition_holds(struct access_case *judged,
                                         const struct conf_acl_rule *rule,
                                         const struct conf_acl_condition *condition);
#endif
