#ifndef BASE_ERR_H
#define BASE_ERR_H
/*
 * err - how the world can fail, as one small enum passed up to whoever can act on it.
 * exchange_send.c maps it to an HTTP status; err_text() to words for a log line.
 */
enum err {
    ERR_OK = 0,
    ERR_NOMEM,   /* an allocation of outsider-chosen size was refused */
    ERR_IO,      /* read, write, open, RocksDB */
    ERR_LIMIT,   /* a configured bound was reached */
    ERR_SYNTAX,  /* bytes that are not in the grammar */
    ERR_TIMEOUT, /* a deadline passed */
    ERR_CLOSED,  /* the peer or the service is gone */
    ERR_CORRUPT, /* stored bytes that do not verify */
    ERR_BUSY,    /* a queue is full; later may work */
    ERR_ABSENT,  /* not there */
};

/* A short lower-case phrase, static. */
const char *err_text(enum err err);
#endif
