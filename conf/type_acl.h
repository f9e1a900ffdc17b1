#ifndef CONF_TYPE_ACL_H
#define CONF_TYPE_ACL_H
/* type_acl - what type_acl.c (rules) and type_acl_value.c (values of conditions) share. */
#include "conf/type.h"

/* Reads the value of index `at` of a condition, whose lists have room for it. False: the report says
 * why. */
bool conf_acl_value_read(const struct conf_item *item, struct conf_acl_condition *condition,
                         size_t at, const struct conf_word *word);
/* Room for so many values. False: no memory. */
bool conf_acl_value_room(const struct conf_item *item, struct conf_acl_condition *condition,
                         size_t count);
#endif
