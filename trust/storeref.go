package trust

import (
	"cmp"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// StoreRef names a trust store, as in "ca:wabbit-networks.io". The zero value
// names none.
type StoreRef struct {
	Type StoreType
	Name string
}

// ParseStoreRef reads TYPE:NAME. TYPE is ca, signingAuthority or tsa, exactly;
// for NAME see [CheckStoreName]. The error's code is store.name.
func ParseStoreRef(s string) (StoreRef, error) {
	typ, name, ok := strings.Cut(s, ":")
	if !ok {
		return StoreRef{}, reason.Errorf(reason.StoreName, "trust store %s has no type", show(s)).
			WithHint("write it as TYPE:NAME, for example ca:wabbit-networks.io")
	}
	t, err := ParseStoreType(typ)
	if err != nil {
		return StoreRef{}, err
	}
	if err := CheckStoreName(name); err != nil {
		return StoreRef{}, err
	}
	return StoreRef{Type: t, Name: name}, nil
}

// ParseStoreType reads ca, signingAuthority or tsa, exactly. The error's code
// is store.name.
func ParseStoreType(s string) (StoreType, error) {
	n, ok := enumValue(storeTypeNames[:], s)
	if !ok {
		return 0, reason.Errorf(reason.StoreName, "unknown type of trust store %s", show(s)).
			WithHint("the types are ca, signingAuthority and tsa, written exactly so")
	}
	return StoreType(n), nil
}

// String returns TYPE:NAME.
func (r StoreRef) String() string { return r.Type.String() + ":" + r.Name }

// check reports a reference that was not made by ParseStoreRef and is none.
func (r StoreRef) check() error {
	if _, ok := enumValue(storeTypeNames[:], r.Type.String()); !ok {
		return reason.Errorf(reason.StoreName, "trust store %s has no type", show(r.Name)).
			WithHint("the types are ca, signingAuthority and tsa, written exactly so")
	}
	return CheckStoreName(r.Name)
}

// compare orders references by type, then name.
func (r StoreRef) compare(o StoreRef) int {
	return cmp.Or(cmp.Compare(r.Type, o.Type), strings.Compare(r.Name, o.Name))
}

// CheckStoreName reports, with code store.name, a name that is not 1 to 255 of
// the characters A-Z a-z 0-9 _ . - or that some file system takes for
// something else than a directory of that name: one that ends in a dot, among
// them "." and "..", and the device names of Windows. It is refused on every
// system, so that a policy means the same everywhere.
func CheckStoreName(name string) error {
	const hint = "a name is made of letters, digits and the characters _ . - only"
	switch {
	case name == "":
		return reason.Errorf(reason.StoreName, "the name of a trust store is empty").WithHint(hint)
	case len(name) > maxNameBytes:
		return reason.Errorf(reason.StoreName, "the name of a trust store is longer than %d bytes", maxNameBytes).WithHint("choose a shorter name")
	case strings.ContainsFunc(name, notInName):
		return reason.Errorf(reason.StoreName, "%s is no name of a trust store", show(name)).WithHint(hint)
	case strings.HasSuffix(name, "."):
		return reason.Errorf(reason.StoreName, "the trust store name %s ends in a dot", show(name)).WithHint("remove the dot")
	case isDeviceName(name):
		return reason.Errorf(reason.StoreName, "the trust store name %s is reserved on Windows", show(name)).WithHint("choose another name")
	}
	return nil
}

func notInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return r != '_' && r != '.' && r != '-'
}

// isDeviceName reports whether Windows takes name for a device: the part
// before the first dot counts, in any case.
func isDeviceName(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	port, isCOM := strings.CutPrefix(base, "COM")
	if !isCOM {
		var isLPT bool
		if port, isLPT = strings.CutPrefix(base, "LPT"); !isLPT {
			return false
		}
	}
	return len(port) == 1 && '0' <= port[0] && port[0] <= '9'
}
