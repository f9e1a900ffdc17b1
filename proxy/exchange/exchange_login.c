/* exchange_login - who asks a forward proxy. */
#include "exchange/exchange_forward.h"

enum exchange_next exchange_login(struct exchange *x)
{
    x->forwarding->stage = FORWARD_JUDGE;
    return EXCHANGE_GO;
}
