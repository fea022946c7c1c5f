# Written by app-server for app-server; changes here are lost with the next run of
#   app-server config gunicorn -f deploy/scenes/embedding/deploy.yaml
#
# Instance "a1": gunicorn -c THIS_FILE

wsgi_app = "app_server.gunicorn:app('myapp.py', allow_websocket_origin=['apps.acme.com', 'www.acme.com'], use_xheaders=True, session_ids='external-signed', store='/var/lib/app-server/sessions')"
worker_class = "app_server.gunicorn.Worker"
bind = "127.0.0.1:5100"
workers = 1
chdir = "/srv/app-server"
proc_name = "app-server-a1"

# A worker whose event loop is blocked for this long is replaced.
timeout = 30
# Sessions go on for this long after a stop or a reload.
graceful_timeout = 15
# WebSockets stay open; the server limits them itself.
worker_connections = 65536
keepalive = 75

# Logs go to stderr or the journal. The proxy logs requests, without their tokens.
errorlog = "-"
accesslog = None
# The server's own setting decides whether X-Forwarded-* headers are trusted.
forwarded_allow_ips = ""
# Only signals control it.
control_socket_disable = True
