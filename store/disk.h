#ifndef STORE_DISK_H
#define STORE_DISK_H
void disk_unpin(void *pin);
#endif
