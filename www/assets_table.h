#ifndef WWW_ASSETS_TABLE_H
#define WWW_ASSETS_TABLE_H
/* assets_table - what the generated C file defines; private to www/. */
#include "www/assets.h"

extern const struct www_asset www_assets[];
extern const size_t www_assets_count;

#endif
