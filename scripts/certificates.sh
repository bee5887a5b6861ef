#!/bin/sh
# Makes the certificates of the tests, with openssl, into __test__/_certificates. They are kept in the repository and last until 2120, so
# this is only needed to change them. All of them are made anew, for the key of the authority is not kept.
set -eu
cd "$(dirname "$0")/../__test__/_certificates"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f ./*.pem

cat > "$work/ca.cnf" <<END
[ca]
default_ca = here
[here]
database = $work/index
new_certs_dir = $work
serial = $work/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[dn]
[req]
distinguished_name = dn
END
: > "$work/index"
echo 01 > "$work/serial"

# request NAME COMMON-NAME EXTENSION...: a key, and what is to be signed.
request() {
  name=$1 common=$2
  shift 2
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name-key.pem"
  for extension; do set -- "$@" -addext "$extension"; shift; done
  openssl req -new -config "$work/ca.cnf" -key "$name-key.pem" -subj "/CN=$common" "$@" -out "$work/$name.csr"
}

# signed NAME FROM TO OPTION...: the certificate.
signed() {
  name=$1 from=$2 to=$3
  shift 3
  openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/$name.csr" -startdate "$from" -enddate "$to" -out "$name.pem" "$@" 2> "$work/log" ||
    { cat "$work/log" >&2; exit 1; }
}

long="20200101000000Z 21200101000000Z"
usage='keyUsage=critical,digitalSignature'

request ca 'socket2 test authority' 'basicConstraints=critical,CA:TRUE' 'keyUsage=critical,keyCertSign'
signed ca $long -selfsign -keyfile ca-key.pem
by="-cert ca.pem -keyfile ca-key.pem"

request server localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' "$usage" 'extendedKeyUsage=serverAuth'
signed server $long $by
request other other.test 'subjectAltName=DNS:other.test' "$usage" 'extendedKeyUsage=serverAuth'
signed other $long $by
request client 'a client' "$usage" 'extendedKeyUsage=clientAuth'
signed client $long $by
request expired localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' "$usage" 'extendedKeyUsage=serverAuth'
signed expired 20200101000000Z 20200102000000Z $by
request self-signed localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' "$usage" 'extendedKeyUsage=serverAuth'
signed self-signed $long -selfsign -keyfile self-signed-key.pem

rm ca-key.pem
openssl verify -CAfile ca.pem server.pem other.pem client.pem
