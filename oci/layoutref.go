package oci

import (
	"runtime"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// ParseLayoutReference splits PATH:tag or PATH@digest, which names an artifact
// in an image layout. PATH is a directory or a tarball; it is returned as
// written. The Reference has a tag or a digest and no repository.
//
// A path may itself hold colons and at signs, so the last one that can
// separate decides: what follows the last @ is the digest if it looks like
// one, and then must be one; otherwise what follows the last colon is the tag.
// Neither a slash nor a backslash can stand in a tag, so that C:\dir has none;
// on Windows a path of one letter is a drive and is refused.
//
// Errors have the code oci.reference, or oci.reference-incomplete where there
// is nothing after the path.
func ParseLayoutReference(s string) (path string, ref Reference, err error) {
	return parseLayoutReference(s, runtime.GOOS == "windows")
}

func parseLayoutReference(s string, windows bool) (string, Reference, error) {
	switch {
	case s == "":
		return "", Reference{}, reason.Errorf(reason.OCIReference, "the layout reference is empty").WithHint("write PATH:tag or PATH@digest")
	case len(s) > maxPathLength:
		return "", Reference{}, badLayoutReference(s, "is longer than "+strconv.Itoa(maxPathLength)+" bytes")
	case strings.ContainsRune(s, 0):
		return "", Reference{}, badLayoutReference(s, "holds a NUL character")
	}
	path, ref, err := splitLayoutReference(s)
	if err != nil {
		return "", Reference{}, err
	}
	if path == "" {
		return "", Reference{}, badLayoutReference(s, "has no path").WithHint("write PATH:tag or PATH@digest")
	}
	if windows && ref.tag != "" && len(path) == 1 && isLetter(path[0]) {
		return "", Reference{}, badLayoutReference(s, "has nothing but a drive before the colon").
			WithHint(`write .\%s for a directory of that name`, clean(s))
	}
	return path, ref, nil
}

func splitLayoutReference(s string) (string, Reference, error) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 && looksLikeDigest(s[i+1:]) {
		d, err := ParseDigest(s[i+1:])
		if err != nil {
			return "", Reference{}, reason.Wrap(reason.OCIReference, err, "layout reference %s has no valid digest", quote(s)).
				WithHint("%s", reason.Hint(err))
		}
		return s[:i], Reference{digest: d}, nil
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.ContainsAny(s[i+1:], `/\`) {
		return "", Reference{}, reason.Errorf(reason.OCIReferenceIncomplete, "layout reference %s has neither tag nor digest", quote(s)).
			WithHint("write %s:tag or, better, %s@digest", clean(s), clean(s))
	}
	if !isTag(s[i+1:]) {
		return "", Reference{}, badLayoutReference(s, "has no valid tag after the last colon").
			WithHint("a tag has 1 to %d letters, digits and . _ -, and starts with none of . and -", maxTagLength)
	}
	return s[:i], Reference{tag: s[i+1:]}, nil
}

func badLayoutReference(s, what string) *reason.Error {
	return reason.Errorf(reason.OCIReference, "layout reference %s %s", quote(s), what)
}

// looksLikeDigest reports whether whoever wrote s after an @ meant a digest.
// A cut or misspelt digest must not be taken for a tag of another path, while
// the colon of a:b after an @ may well belong to a directory and its tag.
func looksLikeDigest(s string) bool {
	algorithm, encoded, ok := strings.Cut(strings.ToLower(s), ":")
	if !ok || strings.ContainsAny(s, `/\`) {
		return false
	}
	if hashOf(digest.Algorithm(algorithm)) != 0 {
		return true
	}
	for _, family := range []string{"sha", "blake", "md"} {
		after, found := strings.CutPrefix(algorithm, family)
		if found && len(after) > 0 && strings.ContainsAny(after[:1], "-_0123456789") {
			return true
		}
	}
	return len(encoded) >= 32 && isLowerHex(encoded)
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
