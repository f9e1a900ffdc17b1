#ifndef CONF_CONF_NETWORKS_H
#define CONF_CONF_NETWORKS_H
/* conf_networks - networks as the file lists them; part of conf.h, which includes this. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_network {
    uint8_t address[16]; /* network order; IPv4 in the first 4, host bits zero */
    uint8_t bits;        /* prefix length */
    bool v6;
};

struct conf_networks {
    const struct conf_network *list;
    size_t count; /* 0: nobody */
};
#endif
