package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/notaryv2/notation/test/fixture"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
)

// What is attached to the image.
const (
	sbom = `{"version":"0.0.0.0","artifact":"net-monitor:v1","contents":"good"}`
	scan = `{"version":"0.0.0.0","artifact":"net-monitor:v1","findings":[]}`
)

// What the success lines begin with.
const (
	signed   = "Successfully signed "
	verified = "Successfully verified signature for "
)

// walkthrough runs the whole story.
func walkthrough(ctx context.Context, s *stage, first, second string) error {
	for _, chapter := range []func() error{
		func() error { return announcement(ctx, s, first) },
		func() error { return attachments(ctx, s, first) },
		func() error { return elsewhere(ctx, s, second) },
		func() error { return files(ctx, s) },
		func() error { return timeStamp(ctx, s) },
		func() error { return refusals(ctx, s, first) },
	} {
		if err := chapter(); err != nil {
			return err
		}
	}
	return nil
}

// push pushes an image by the oras library.
func push(ctx context.Context, reference, text string) (ocispec.Descriptor, error) {
	repo, err := fixture.Repository(reference, "", "")
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	image, err := fixture.PushImage(ctx, repo, text)
	if err != nil {
		return image, fmt.Errorf("push %s: %w", reference, err)
	}
	fmt.Printf("pushed %s\n       %s\n", reference, image.Digest)
	return image, nil
}

// announcement is the announcement, line by line.
func announcement(ctx context.Context, s *stage, host string) error {
	image := host + "/net-monitor:v1"
	s.say("A registry with the referrers API runs at %s. An image is pushed to it.", host)
	d, err := push(ctx, image, "net-monitor")
	if err != nil {
		return err
	}
	digest := host + "/net-monitor@" + d.Digest.String()

	s.say("The announcement's walkthrough, with an empty home directory.")
	s.export("IMAGE", image)
	for _, step := range []struct {
		name, line string
		want       []string
	}{
		{"make a test key and certificate", `notation cert generate-test --default "wabbit-networks.io"`, nil},
		{"sign the image", `notation sign $IMAGE`, []string{signed + digest}},
		{"trust the certificate", `notation cert add --name "wabbit-networks.io" ~/.config/notation/certificate/wabbit-networks.io.crt`, nil},
		{"verify the image", `notation verify $IMAGE`, []string{verified + digest}},
	} {
		if err := s.run(ctx, step.name, step.line, 0, step.want...); err != nil {
			return err
		}
	}
	return nil
}

// attachments attaches an SBOM and a scan result, and signs and verifies both.
func attachments(ctx context.Context, s *stage, host string) error {
	repo, err := fixture.Repository(host+"/net-monitor:v1", "", "")
	if err != nil {
		return err
	}
	image, err := repo.Resolve(ctx, "v1")
	if err != nil {
		return err
	}
	s.say("An SBOM and a scan result are attached, by the oras library, as these commands would:")
	for _, a := range []struct{ name, kind, file, content string }{
		{"SBOM", "sbom/example", "sbom.json", sbom},
		{"SCAN", "scan-result/example", "scan.json", scan},
	} {
		fmt.Printf("  oras attach --artifact-type %s $IMAGE %s\n", a.kind, a.file)
		d, err := fixture.Attach(ctx, repo, image, a.kind, a.file, []byte(a.content))
		if err != nil {
			return fmt.Errorf("attach %s: %w", a.file, err)
		}
		s.export(a.name, host+"/net-monitor@"+d.Digest.String())
	}

	s.say("They are artifacts like any other: signed and verified by digest.")
	for _, name := range []string{"SBOM", "SCAN"} {
		if err := s.run(ctx, "sign the "+name, "notation sign $"+name, 0, signed); err != nil {
			return err
		}
		if err := s.run(ctx, "verify the "+name, "notation verify $"+name, 0, verified); err != nil {
			return err
		}
	}
	if err := s.run(ctx, "list the image's signatures", "notation list $IMAGE", 0); err != nil {
		return err
	}

	s.say("What is in the repository now, as \"oras discover\" shows it:")
	fmt.Println(host + "/net-monitor:v1")
	if err := printTree(ctx, repo, image, "  "); err != nil {
		return err
	}
	after, err := repo.Resolve(ctx, "v1")
	if err != nil {
		return err
	}
	s.check("the image is unchanged", shorten(image), shorten(after))
	tags, err := ownTags(ctx, repo)
	if err != nil {
		return err
	}
	s.check("tags in the repository", "v1", tags)
	return nil
}

// shorten returns enough of a digest to compare by eye.
func shorten(d ocispec.Descriptor) string { return d.Digest.String()[:len("sha256:0123456789ab")] }

// printTree prints what refers to an artifact, and what refers to that.
func printTree(ctx context.Context, repo *remote.Repository, subject ocispec.Descriptor, indent string) error {
	referrers, err := registry.Referrers(ctx, repo, subject, "")
	if err != nil {
		return err
	}
	for _, r := range referrers {
		kind, err := fixture.ArtifactType(ctx, repo, r)
		if err != nil {
			return err
		}
		fmt.Printf("%s%s\n%s  %s\n", indent, kind, indent, r.Digest)
		if err := printTree(ctx, repo, r, indent+"    "); err != nil {
			return err
		}
	}
	return nil
}

// fallbackTag is a tag of the referrers tag schema.
var fallbackTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}$`)

// ownTags returns the tags that somebody has chosen.
func ownTags(ctx context.Context, repo *remote.Repository) (string, error) {
	var tags []string
	err := repo.Tags(ctx, "", func(page []string) error {
		tags = append(tags, page...)
		return nil
	})
	tags = slices.DeleteFunc(tags, fallbackTag.MatchString)
	return strings.Join(tags, " "), err
}

// elsewhere signs and verifies in a registry without the referrers API.
func elsewhere(ctx context.Context, s *stage, host string) error {
	s.say("The same in a registry without the referrers API, at %s: nothing differs.", host)
	if _, err := push(ctx, host+"/net-monitor:v1", "net-monitor"); err != nil {
		return err
	}
	s.export("OTHER", host+"/net-monitor:v1")
	if err := s.run(ctx, "unsigned in the other registry", "notation verify $OTHER", 4); err != nil {
		return err
	}
	if err := s.run(ctx, "sign in the other registry", "notation sign $OTHER", 0, signed); err != nil {
		return err
	}
	return s.run(ctx, "verify in the other registry", "notation verify $OTHER", 0, verified)
}

// refusals are what must not be accepted.
func refusals(ctx context.Context, s *stage, host string) error {
	repo, err := fixture.Repository(host+"/net-monitor:v1", "", "")
	if err != nil {
		return err
	}
	good, err := repo.Resolve(ctx, "v1")
	if err != nil {
		return err
	}
	s.say("Somebody with access to the first registry moves the tag to a tampered image.")
	bad, err := push(ctx, host+"/net-monitor:v1", "net-monitor, with a back door")
	if err != nil {
		return err
	}
	if err := s.run(ctx, "tampered image, not signed", "notation verify $IMAGE", 4); err != nil {
		return err
	}

	s.say("They attach the good image's signature to the tampered one, too.")
	if _, err := fixture.ReplaySignatures(ctx, repo, good, bad); err != nil {
		return err
	}
	if err := s.run(ctx, "tampered image, signature of another", "notation verify $IMAGE", 1); err != nil {
		return err
	}

	s.say("A registry that does not answer is a reason of its own: nothing was decided.")
	return s.run(ctx, "no registry", "notation verify --timeout 5s localhost:1/net-monitor:v1", 3)
}
