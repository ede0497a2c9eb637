package cli

import (
	"context"
	"net/url"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mayBeEmpty are the flags whose empty value says something: that there is to
// be no time stamp, or no login, as where a pipeline has no secrets.
var mayBeEmpty = map[string]bool{"timestamp-url": true, "username": true, "password": true}

// refuseEmpty refuses flags with an empty value. It is that of a script whose
// variable is not set, and to take it as if the flag were not there would loosen
// what the flag demands.
func (a *app) refuseEmpty(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		empty := f.Value.Type() == "string" && f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				empty = empty || v == ""
			}
		}
		if empty && err == nil && !mayBeEmpty[f.Name] {
			err = a.usage(cmd, reason.UsageFlag, "flag "+quote("--"+f.Name)+" has an empty value", "give it a value, or leave it out; if it comes from a variable, that is not set")
		}
	})
	return err
}

// isMediaType reports whether a text has the form TYPE/SUBTYPE, which is all that
// a signature can hold.
func isMediaType(s string) bool {
	kind, sub, _ := strings.Cut(s, "/")
	return kind != "" && sub != ""
}

func notMediaType(s string) error {
	return reason.Errorf(reason.UsageFlag, "flag '--media-type' cannot be %s: it is no media type", quote(s)).
		WithHint("write TYPE/SUBTYPE, as in text/plain")
}

// checkAuthority refuses what cannot be the address of a time-stamping
// authority, before a key is used that may ask for a touch.
func checkAuthority(address string) error {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Opaque == "" {
		return nil
	}
	return reason.Errorf(reason.TimestampURL, "%q is no http or https address of a time-stamping authority", printableURL(address)).
		WithHint("write it as http://timestamp.example.com")
}

// readNamed reads a file or pipe that the user named for this command.
func readNamed(ctx context.Context, path string, limit int64) ([]byte, error) {
	data, err := atomicfile.ReadNamed(ctx, path, limit)
	return data, nameAFile(err)
}

// readLinked reads a file that the user named and that is there to stay, or a
// link to one.
func readLinked(path string, limit int64) ([]byte, error) {
	data, err := atomicfile.ReadLinked(path, limit)
	return data, nameAFile(err)
}

// nameAFile corrects the remedy where the user has named something that is no
// regular file: he is not to replace it, as one of our own directories would
// have him, but to name another.
func nameAFile(err error) error { return withHint(err, "name a file", reason.ConfigNotRegular) }
