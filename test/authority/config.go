package authority

import (
	"fmt"
	"os"
	"path/filepath"
)

// configuration is openssl's for one authority; the blank is its directory.
const configuration = `[ca]
default_ca = self
[self]
dir = %s
database = $dir/index.txt
rand_serial = yes
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.crt
private_key = $dir/ca.key
default_md = sha256
policy = any
unique_subject = no
preserve = yes
crl_extensions = list
[list]
authorityKeyIdentifier = keyid:always
[any]
countryName = optional
stateOrProvinceName = optional
organizationName = optional
commonName = supplied
`

// The extensions of each kind of certificate.
const (
	certificateAuthority = `basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`
	responder = `basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
`
	codeSigning = `basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
`
	timeStamping = `basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
`
)

// configure writes the files that an authority begins with.
func (c *CA) configure(authority string) error {
	dir, err := filepath.Abs(filepath.Join(c.Dir, authority))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for file, text := range map[string]string{
		"openssl.cnf": fmt.Sprintf(configuration, dir),
		"index.txt":   "",
		"crlnumber":   "01\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// pointers are the extensions that lead to an authority's services.
func (c *CA) pointers(authority string) string {
	text := ""
	if !c.options.NoOCSP {
		text += fmt.Sprintf("authorityInfoAccess = OCSP;URI:%s/%s/ocsp\n", c.URL(), authority)
	}
	if !c.options.NoCRL {
		text += fmt.Sprintf("crlDistributionPoints = URI:%s/%s/crl\n", c.URL(), authority)
	}
	return text
}
