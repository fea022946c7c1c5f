#!/bin/sh
# Written by app-server for app-server; changes here are lost with the next run of
#   app-server config commands -f deploy/scenes/server-tls/deploy.yaml
set -eu
cd /srv/app-server
export APP_SERVER_USE_CONFIG=none
exec /opt/app-server/bin/app-server serve myapp.py --port 5006 --allow-websocket-origin apps.example.org:5006 --ssl-certfile /etc/ssl/certs/apps.pem --ssl-keyfile /etc/ssl/private/apps.key --drain 0 --store /var/lib/app-server/sessions
