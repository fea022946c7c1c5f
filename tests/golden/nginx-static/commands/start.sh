#!/bin/sh
# Written by app-server for app-server; changes here are lost with the next run of
#   app-server config commands -f deploy/scenes/nginx-static/deploy.yaml
set -eu
cd /srv/app-server
export APP_SERVER_USE_CONFIG=none
exec /opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5100 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions
