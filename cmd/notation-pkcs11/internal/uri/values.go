package uri

import (
	"path/filepath"
	"strconv"
	"strings"
)

func setID(u *URI, value string) error {
	u.ID = []byte(value)
	return nil
}

// setType takes the one type of object that signs.
func setType(u *URI, value string) error {
	if value != "private" {
		return invalid("type=%s names no private key", strconv.QuoteToASCII(shorten(value))).
			WithHint("Leave the type out, or write type=private.")
	}
	u.Type = value
	return nil
}

func setSlot(u *URI, value string) error {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != value {
		return invalid("slot-id is no decimal number")
	}
	u.SlotID = &n
	return nil
}

func getSlot(u *URI) string {
	if u.SlotID == nil {
		return ""
	}
	return strconv.FormatUint(*u.SlotID, 10)
}

// setVersion takes what RFC 7512 section 2.3 calls pk11-lib-ver: "2" or "2.40".
func setVersion(u *URI, value string) error {
	for i, part := range strings.Split(value, ".") {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || i > 1 || strconv.FormatUint(n, 10) != part {
			return invalid("library-version is no version such as 2.40")
		}
	}
	u.LibraryVersion = value
	return nil
}

// MatchesLibrary reports whether a library of the given version is meant. No
// minor number means 0, RFC 7512 section 2.4.
func (u *URI) MatchesLibrary(major, minor byte) bool {
	if u.LibraryVersion == "" {
		return true
	}
	wantMajor, wantMinor, ok := strings.Cut(u.LibraryVersion, ".")
	if !ok {
		wantMinor = "0"
	}
	return wantMajor == strconv.Itoa(int(major)) && wantMinor == strconv.Itoa(int(minor))
}

// setPINSource takes a file, as a path or as a file URI (RFC 8089 section 2)
// of this host. What is percent-encoded is so once, by the PKCS #11 URI.
func setPINSource(u *URI, value string) error {
	if strings.HasPrefix(value, "|") {
		return invalid("a pin-source that is a program is not run").
			WithHint("Have the program write the PIN to a file or into $NOTATION_PKCS11_PIN before you sign.")
	}
	path := value
	if rest, ok := strings.CutPrefix(value, "file:"); ok {
		path = rest
		if local, ok := strings.CutPrefix(path, "//"); ok {
			path = strings.TrimPrefix(local, "localhost")
		}
	}
	clean, err := absolute("pin-source", path)
	u.PINSource = clean
	return err
}

func getPINSource(u *URI) string {
	if u.PINSource == "" {
		return ""
	}
	return "file:" + u.PINSource
}

func setModule(u *URI, value string) error {
	clean, err := absolute("module-path", value)
	u.ModulePath = clean
	return err
}

// absolute wants a path that means the same whatever the working directory is.
func absolute(name, path string) (string, error) {
	if !filepath.IsAbs(path) || strings.HasPrefix(path, "//") {
		return "", invalid("%s names no absolute path of this computer", name).WithHint("Write the whole path, such as %s=/home/me/file.", name)
	}
	return path, nil
}

// String writes the URI, with its parts in a fixed order. Bytes of the id are
// always percent-encoded, as RFC 7512 section 2.3 recommends.
func (u *URI) String() string {
	var b strings.Builder
	b.WriteString(scheme)
	path, query := "", "?"
	for _, a := range attributes() {
		value := a.get(u)
		if value == "" {
			continue
		}
		separator := path
		path = ";"
		if a.query {
			separator, query = query, "&"
		}
		b.WriteString(separator + a.name + "=" + encode(value, a))
	}
	return b.String()
}

func encode(value string, a attribute) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if a.name != "id" && (isUnreserved(c) || a.query && (c == '/' || c == ':')) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
