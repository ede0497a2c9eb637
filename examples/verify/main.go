// Command verify decides whether an artifact is trusted.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/trust"
)

// usage: verify POLICY TRUSTSTORE REFERENCE
func main() {
	verdict, err := verify(context.Background(), os.Args[1], os.Args[2], os.Args[3])
	switch {
	case err == nil:
		fmt.Println("run it:", verdict.Reference, "was signed by", verdict.Accepted().Subject)
	case errors.Is(err, notation.ErrUndecided):
		fmt.Println("ask again later:", err)
		os.Exit(3)
	default:
		fmt.Println("do not run it:", err)
		os.Exit(1)
	}
}

func verify(ctx context.Context, policyFile, storeDir, reference string) (*notation.Verdict, error) {
	data, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	policy, err := trust.ParsePolicy(policyFile, data)
	if err != nil {
		return nil, err
	}
	ref, err := oci.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	credentials := remote.NewCredentialStore(remote.StoreOptions{}) // those of docker login
	repo, err := remote.New(ref, remote.Options{Credentials: credentials.Find})
	if err != nil {
		return nil, err
	}
	verifier := &notation.Verifier{
		Policy: policy,
		Stores: trust.NewStores(os.DirFS(storeDir)),
	}
	return verifier.Verify(ctx, repo, ref)
}
