/* Looks files up in the table that www/embed.cmake writes into the build folder. */
#include "www/assets.h"

#include <string.h>

#include "www/assets_table.h"

const struct www_asset *www_asset_list(size_t *count)
{
    *count = www_assets_count;
    return www_assets;
}

const struct www_asset *www_asset_find(const char *path)
{
    if (path == NULL) {
        return NULL;
    }
    if (strcmp(path, "/") == 0) {
        path = "/index.html";
    }
    for (size_t i = 0; i < www_assets_count; i++) {
        if (strcmp(www_assets[i].path, path) == 0) {
            return &www_assets[i];
        }
    }
    return NULL;
}
