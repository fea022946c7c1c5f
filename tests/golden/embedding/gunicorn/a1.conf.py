# Written by app-server for app-server; changes here are lost with the next run of
#   app-server config gunicorn -f deploy/scenes/embedding/deploy.yaml
#
# Instance "a1": gunicorn -c THIS_FILE

wsgi_app = "app_server.gunicorn:app('myapp.py', allow_websocket_origin=['apps.acme.com', 'www.acme.com'], use_xheaders=True, session_ids='external-signed')"
worker_class = "app_server.gunicorn.Worker"
bind = "127.0.0.1:5100"
workers = 1
chdir = "/srv/app-server"
proc_name = "app-server-a1"

# A worker whose loop does not turn for so long is replaced.
timeout = 30
# Sessions go on for so long after a stop or a reload was asked for.
graceful_timeout = 45
# Sockets are few and live long; the server counts them itself.
worker_connections = 65536
keepalive = 75

# Lines go to the journal, or to whoever started this; requests are logged by the proxy, without their tokens.
errorlog = "-"
accesslog = None
# Who may reach the address is told by the address; X-Forwarded-* are believed by the server's own setting.
forwarded_allow_ips = ""
# Nothing but signals steers it.
control_socket_disable = True
