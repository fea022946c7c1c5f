#!/bin/sh
# {{ header[0] }}
# {{ header[1] }}
#
# Run this as root to get the first certificate, with certbot's webroot. You can run it again: an existing one is kept.
# A proxy does not start without a certificate, and the authority cannot read the challenge without the proxy. So a
# self-signed certificate is used until the real one is there.
set -eu
umask 077

certificate={{ site.certificate | q }}
key={{ site.key | q }}

if [ ! -s "$certificate" ] || [ ! -s "$key" ]; then
    mkdir -p "$(dirname "$certificate")"
    chmod 755 "$(dirname "$certificate")"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
        -keyout "$key" -out "$certificate" -subj {{ ("/CN=" ~ site.names[0]) | q }} \
        -addext {{ alternative_names | q }} 2>/dev/null
{% if site.owner %}
    chown {{ site.owner | q }} "$certificate" "$key"
{% endif %}
    chmod 644 "$certificate"
fi
# Enough to test a proxy before it serves.
[ "${1:-}" != --stand-in ] || exit 0
mkdir -p {{ site.challenges | q }}
chmod 755 {{ site.webroot | q }} {{ (site.webroot ~ "/.well-known") | q }} {{ site.challenges | q }}
{{ site.start | words }}

{{ site.first | words }}

# certbot calls the hook only for new certificates: install an older one here.
live={{ site.live | q }}
cmp -s "$live/fullchain.pem" "$certificate" || RENEWED_LINEAGE="$live" {{ site.hook | q }}
