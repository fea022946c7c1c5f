#!/bin/sh
# Written by app-server for app-server; changes here are lost with the next run of
#   app-server config commands -f deploy/scenes/embedding/deploy.yaml
set -eu
cd /srv/app-server
export BOKEH_SECRET_KEY_FILE=/etc/app-server/secret_key
export APP_SERVER_USE_CONFIG=none
exec /opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5100 --allow-websocket-origin apps.acme.com --allow-websocket-origin www.acme.com --use-xheaders --session-ids external-signed --drain 0 --store /var/lib/app-server/sessions
