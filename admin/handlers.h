#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H
/* handlers - what the route table points to; each makes request->reply. */
#include "admin/request.h"

void health_live(struct admin_request *request);
void health_ready(struct admin_request *request);
void metrics_get(struct admin_request *request);
void session_post(struct admin_request *request);
void session_get(struct admin_request *request);
void session_delete(struct admin_request *request);
void login_code_post(struct admin_request *request);
void status_get(struct admin_request *request);
void stats_get(struct admin_request *request);
void top_get(struct admin_request *request);
void events_get(struct admin_request *request);
void purges_get(struct admin_request *request);
void purges_post(struct admin_request *request);
void sites_get(struct admin_request *request);
void sites_post(struct admin_request *request);
void quotas_get(struct admin_request *request);
void quotas_reset_post(struct admin_request *request);
void explain_post(struct admin_request *request);
void origins_get(struct admin_request *request);
void origins_post(struct admin_request *request);
void access_get(struct admin_request *request);
void access_denials_get(struct admin_request *request);
void access_tunnels_get(struct admin_request *request);
void access_test_post(struct admin_request *request);
void access_destinations_get(struct admin_request *request);
void access_users_get(struct admin_request *request);
void access_clients_get(struct admin_request *request);
void pac_get(struct admin_request *request);
void config_reload_post(struct admin_request *request);
void log_reopen_post(struct admin_request *request);
void stop_post(struct admin_request *request);
void asset_get(struct admin_request *request);
#endif
