module github.com/notaryv2/notation/cmd/notation-pkcs11

go 1.26.0

require (
	github.com/gofrs/flock v0.13.1
	github.com/miekg/pkcs11 v1.1.2
	github.com/notaryv2/notation v0.0.0-00010101000000-000000000000
	github.com/opencontainers/go-digest v1.0.0
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.47.0
)

require (
	github.com/fxamacker/cbor/v2 v2.10.0 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/notaryv2/notation => ../..
