#!/bin/sh
# Written by app-server for app-server; changes here are lost with the next run of
#   app-server config commands -f deploy/scenes/nginx-load-balancing/deploy.yaml
set -eu
cd /srv/app-server
export APP_SERVER_USE_CONFIG=none
/opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5100 --route a1 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions &
/opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5101 --route a2 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions &
/opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5102 --route a3 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions &
/opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5103 --route a4 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions &
/opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5104 --route a5 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions &
/opt/app-server/bin/app-server serve myapp.py --address 127.0.0.1 --port 5105 --route a6 --allow-websocket-origin foo.com --use-xheaders --drain 0 --store /var/lib/app-server/sessions &
wait
