#!/bin/sh
# {{ header[0] }}
# {{ header[1] }}
#
# certbot calls this with a new certificate, as root: it is installed and the proxy reads it. If the proxy does not
# accept it, the previous one is restored, and certbot reports the failure.
set -eu
umask 077

: "${RENEWED_LINEAGE:?certbot sets it to the folder of the new certificate}"
certificate={{ site.certificate | q }}
key={{ site.key | q }}

mkdir -p "$(dirname "$certificate")"
for file in "$certificate" "$key"; do
    if [ -e "$file" ]; then cp -p "$file" "$file.before"; else rm -f "$file.before"; fi
done
cp "$RENEWED_LINEAGE/fullchain.pem" "$certificate.new"
cp "$RENEWED_LINEAGE/privkey.pem" "$key.new"
chmod 644 "$certificate.new"
chmod 600 "$key.new"
{% if site.owner %}
chown {{ site.owner | q }} "$certificate.new" "$key.new"
{% endif %}
mv -f "$key.new" "$key"
mv -f "$certificate.new" "$certificate"

if ! {{ site.test | words }}; then
    for file in "$certificate" "$key"; do
        if [ -e "$file.before" ]; then mv -f "$file.before" "$file"; fi
    done
    echo "the proxy refuses its configuration with the new certificate; the one before is back" >&2
    exit 1
fi
rm -f "$certificate.before" "$key.before"
{{ site.reload | words }}
