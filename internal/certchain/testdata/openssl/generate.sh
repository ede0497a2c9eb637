#!/usr/bin/env bash
# Makes the chains of this directory, leaf first, with OpenSSL 3 and the
# test-only keys of testpki, and prints what "openssl verify -x509_strict" says
# of each. TestAgreesWithOpenSSL knows the answers. Not part of any build.
set -euo pipefail
cd "$(dirname "$0")"
K=../../../testpki/testdata
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
# key ALGORITHM N
key() { awk -v n=$2 '/BEGIN/{i++} i==n' $K/$1.pem > $T/$1.$2.key; echo $T/$1.$2.key; }
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' > $T/ca.ext
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n' > $T/leaf.ext
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n' > $T/tsa.ext
# chain NAME ALGORITHM LEAF-EXTENSIONS INTERMEDIATE-EXTENSIONS OPTION...
chain() { name=$1; alg=$2; leafext=$3; intext=$4; shift 4
  r=$(key $alg 3); i=$(key $alg 2); l=$(key $alg 1)
  openssl req -new -x509 -key $r -subj "/C=US/ST=WA/O=openssl/CN=$name root" -days 3650 -set_serial 3 -config <(printf '[req]\ndistinguished_name=d\nx509_extensions=v\n[d]\n[v]\n'; cat $T/ca.ext) "$@" -out $T/r.pem
  openssl req -new -key $i -subj "/C=US/ST=WA/O=openssl/CN=$name intermediate" -out $T/i.csr
  openssl x509 -req -in $T/i.csr -CA $T/r.pem -CAkey $r -set_serial 2 -days 3650 -extfile $intext "$@" -out $T/i.pem 2>/dev/null
  openssl req -new -key $l -subj "/C=US/ST=WA/O=openssl/CN=$name leaf" -out $T/l.csr
  openssl x509 -req -in $T/l.csr -CA $T/i.pem -CAkey $i -set_serial 1 -days 3650 -extfile $leafext "$@" -out $T/l.pem 2>/dev/null
  for c in l i r; do openssl x509 -in $T/$c.pem; done > $name.pem
  echo "$name: $(openssl verify -x509_strict -purpose ${P:-any} -CAfile $T/r.pem -untrusted $T/i.pem $T/l.pem 2>&1 | tr '\n' ' ' || true)"
}
chain ec-256 ec-256 $T/leaf.ext $T/ca.ext -sha256
chain ec-521 ec-521 $T/leaf.ext $T/ca.ext -sha512
chain rsa-3072 rsa-3072 $T/leaf.ext $T/ca.ext -sha384
chain rsa-pss rsa-2048 $T/leaf.ext $T/ca.ext -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
P=timestampsign chain tsa ec-384 $T/tsa.ext $T/ca.ext -sha384
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=timeStamping\n' > $T/x.ext
P=timestampsign chain bad-tsa-not-critical ec-256 $T/x.ext $T/ca.ext -sha256
chain bad-sha1 rsa-2048 $T/leaf.ext $T/ca.ext -sha1
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n' > $T/x.ext
chain bad-intermediate-no-ca ec-256 $T/leaf.ext $T/x.ext -sha256
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n' > $T/x.ext
chain bad-intermediate-no-cert-sign ec-256 $T/leaf.ext $T/x.ext -sha256
printf 'basicConstraints=CA:TRUE\nkeyUsage=critical,keyCertSign\n' > $T/x.ext
chain bad-intermediate-not-critical ec-256 $T/leaf.ext $T/x.ext -sha256
printf 'keyUsage=critical,digitalSignature\n1.3.6.1.4.1.99999.1=critical,DER:0500\n' > $T/x.ext
chain bad-critical-extension ec-256 $T/x.ext $T/ca.ext -sha256
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nnameConstraints=critical,permitted;dirName:d\n[d]\nC=DE\n' > $T/x.ext
chain bad-name-constraints ec-256 $T/leaf.ext $T/x.ext -sha256
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nnameConstraints=critical,permitted;DNS:example.com\n' > $T/x.ext
chain host-name-constraints ec-256 $T/leaf.ext $T/x.ext -sha256
# path length: the root allows none, an intermediate is there
cp $T/ca.ext $T/keep; printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n' > $T/ca.ext
chain bad-path-length ec-256 $T/leaf.ext $T/keep -sha256
