package oci

import (
	"slices"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// PlatformName returns the platform of an entry of an index in the form
// os/architecture[/variant], or "" if it names none. It is the registry's text:
// quote it before showing it.
func PlatformName(d Descriptor) string {
	if d.Platform == nil {
		return ""
	}
	return platformName(*d.Platform)
}

func platformName(p ocispec.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// ChoosePlatform returns the one of the entries of an index that is for a
// platform, os/architecture[/variant] in the spelling of the index. A platform
// without variant means the entry without, or else the only one with. Entries
// without platform are for none. The same manifest listed twice is one. None, or
// more than one, is an error with the code promote.platform, whose hint lists
// what there is.
func ChoosePlatform(manifests []Descriptor, platform string) (Descriptor, error) {
	var exact, variants []Descriptor
	var listed []string
	for _, d := range manifests {
		p := PlatformName(d)
		if p == "" {
			continue
		}
		if q := quote(p); !slices.Contains(listed, q) {
			listed = append(listed, q)
		}
		switch {
		case p == platform:
			exact = addDistinct(exact, d)
		case isForPlatform(d, platform):
			variants = addDistinct(variants, d)
		}
	}
	found := exact // named in full it is meant, whatever variants there are besides
	if len(found) == 0 {
		found = variants
	}
	switch len(found) {
	case 0:
		return Descriptor{}, reason.Errorf(reason.PromotePlatform, "the index has no manifest for the platform %s", quote(platform)).
			WithHint("%s", platformsHint("it has", listed))
	case 1:
		return found[0], nil
	}
	return Descriptor{}, reason.Errorf(reason.PromotePlatform, "the index has more than one manifest for the platform %s", quote(platform)).
		WithHint("%s", platformsHint("name one with its variant, or its digest; the index has", listed))
}

// isForPlatform reports whether an entry is for a platform, or a variant of it.
func isForPlatform(d Descriptor, platform string) bool {
	p := PlatformName(d)
	return p != "" && (p == platform || strings.HasPrefix(p, platform+"/"))
}

// addDistinct appends d unless the list has the same manifest.
func addDistinct(list []Descriptor, d Descriptor) []Descriptor {
	if slices.ContainsFunc(list, func(e Descriptor) bool { return e.Digest == d.Digest }) {
		return list
	}
	return append(list, d)
}

func platformsHint(begin string, listed []string) string {
	if len(listed) == 0 {
		return "its entries name no platforms; name the digest of one"
	}
	more := ""
	if n := len(listed) - maxPlatformsListed; n > 0 {
		listed, more = listed[:maxPlatformsListed], " and "+strconv.Itoa(n)+" more"
	}
	return begin + ": " + strings.Join(listed, ", ") + more
}
