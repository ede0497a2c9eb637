package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// copyPlaces say what is copied, and where to.
type copyPlaces struct {
	registry           registryOptions
	fromLayout         bool
	toLayout           bool
	fromScope, toScope string

	from, to credentialOptions // of one of the registries each
}

func (o *copyPlaces) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.fromLayout, "from-oci-layout", false, "read SRC as PATH:tag or PATH@digest in an OCI image layout, a directory or .tar")
	f.StringVar(&o.fromScope, "from-scope", "", "with --from-oci-layout, the `REPOSITORY` that the trust policy is asked about")
	f.BoolVar(&o.toLayout, "to-oci-layout", false, "read DST as PATH:tag in an OCI image layout, a directory or .tar, which is made if need be")
	f.StringVar(&o.toScope, "to-scope", "", "with --to-oci-layout, the `REPOSITORY` that the trust policy is asked about")
	f.BoolVar(&o.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.registry.register(cmd)
	o.from.side, o.to.side = "from", "to"
	for _, side := range []struct {
		*credentialOptions
		place string
	}{{&o.from, "SRC"}, {&o.to, "DST"}} {
		f.StringVar(&side.username, side.side+"-username", "", "user name for the registry of "+side.place+" alone (default $"+side.variable("username")+")")
		f.StringVar(&side.password, side.side+"-password", "", "password for the registry of "+side.place+" alone; other users of this machine may see it (default $"+side.variable("password")+")")
	}
}

// parse reads both references.
func (o *copyPlaces) parse(a *app, cmd *cobra.Command, args []string) (src, dst target, err error) {
	for _, side := range []struct {
		layout     bool
		name, with string
		scope      string
	}{{o.fromLayout, "from-scope", "from-oci-layout", o.fromScope}, {o.toLayout, "to-scope", "to-oci-layout", o.toScope}} {
		if err := o.credentialsOfLayout(a, cmd, side.with, side.layout); err != nil {
			return src, dst, err
		}
		if side.scope == "" {
			continue
		}
		if !side.layout {
			return src, dst, a.usage(cmd, reason.UsageFlag, "--"+side.name+" needs --"+side.with, "the scope of a registry's artifact is its repository")
		}
		if _, err := oci.ParseRepository(side.scope); err != nil {
			return src, dst, reason.Wrap(reason.UsageFlag, err, "flag '--%s' cannot be %s", side.name, quote(side.scope)).
				WithHint("write registry/repository, without tag or digest, as in registry.example.com/net-monitor")
		}
	}
	if src, err = parsePlace(args[0], o.fromLayout, "--from-oci-layout"); err != nil {
		return src, dst, err
	}
	if dst, err = parseDestination(args[1], o.toLayout); err != nil {
		return src, dst, err
	}
	if dst.ref.Digest() != "" {
		return src, dst, a.usage(cmd, reason.UsageArguments, "the destination "+quote(args[1])+" has a digest, which is always that of the source", "name it by repository and tag")
	}
	return src, dst, nil
}

// parsePlace reads a reference, and names the right flag if it is a path.
func parsePlace(typed string, layout bool, flag string) (target, error) {
	o := targetOptions{layout: layout}
	t, err := o.parse(typed)
	if hint := reason.Hint(err); err != nil && strings.Contains(hint, "--oci-layout") {
		return t, reworded{hint: strings.ReplaceAll(hint, "--oci-layout", flag), err: err}
	}
	return t, err
}

// parseDestination reads a reference that need not have a tag, unless it is that
// of a layout. A path is not taken for a repository of Docker Hub.
func parseDestination(typed string, layout bool) (target, error) {
	if !layout {
		ref, err := oci.ParseReference(typed)
		if _, statErr := os.Lstat(typed); err == nil && statErr != nil {
			return target{typed: typed, ref: ref}, nil
		}
	}
	return parsePlace(typed, layout, "--to-oci-layout")
}

// placeOpener opens what a target names, for a scope if it is a layout.
type placeOpener = func(t target, scope string) (oci.Repository, error)

// credentialsOfLayout refuses a user name or password for a place that is no
// registry.
func (o *copyPlaces) credentialsOfLayout(a *app, cmd *cobra.Command, with string, layout bool) error {
	side, _, _ := strings.Cut(with, "-")
	for _, flag := range []string{side + "-username", side + "-password"} {
		if layout && cmd.Flags().Changed(flag) {
			return a.usage(cmd, reason.UsageFlag, "--"+flag+" and --"+with+" cannot be mixed", "an image layout asks for no credentials")
		}
	}
	return nil
}

// placeOpener returns what opens both places. Registries share one client, and
// so connections and tokens, unless one of them has a credential of its own: no
// client ever holds that of the other registry.
func (a *app) placeOpener(ctx context.Context, o *copyPlaces, src, dst target) (placeOpener, error) {
	var shared *remote.Client
	var options remote.Options
	if src.path == "" || dst.path == "" {
		var own []remote.Credential
		for _, side := range []*credentialOptions{&o.from, &o.to} {
			cred, err := side.read(ctx, a)
			if err != nil {
				return nil, err
			}
			own = append(own, cred)
		}
		explicit, err := o.sharedCredential(ctx, a, own, src, dst)
		if err != nil {
			return nil, err
		}
		if options, _, err = o.registry.client(ctx, a, explicit); err != nil {
			return nil, err
		}
		shared = remote.NewClient(options)
		if src.path == "" && own[0] != (remote.Credential{}) || dst.path == "" && own[1] != (remote.Credential{}) {
			return ownClients(options, shared, own, src, dst), nil
		}
	}
	return func(t target, scope string) (oci.Repository, error) {
		if t.path != "" {
			return openLayout(t.path, scope)
		}
		return openRemote(shared, t.ref)
	}, nil
}

// sharedCredential reads the user name and password that were given for no
// registry in particular. Only one registry may be sent them.
func (o *copyPlaces) sharedCredential(ctx context.Context, a *app, own []remote.Credential, src, dst target) (remote.Credential, error) {
	explicit, err := o.registry.credentials.read(ctx, a)
	if err != nil || explicit == (remote.Credential{}) {
		return explicit, err
	}
	var registries []target
	for i, t := range []target{src, dst} {
		if t.path == "" && own[i] == (remote.Credential{}) {
			registries = append(registries, t)
		}
	}
	if err := oneRegistry(registries); err != nil {
		return remote.Credential{}, reworded{hint: "give each registry its own with --from-username and --to-username, or use 'notation login'", err: err}
	}
	return explicit, nil
}

// ownClients opens each place with a client of its own where it has a credential
// of its own, and else with the shared one.
func ownClients(options remote.Options, shared *remote.Client, own []remote.Credential, src, dst target) placeOpener {
	clientOf := func(cred remote.Credential, t target) *remote.Client {
		if t.path != "" || cred == (remote.Credential{}) {
			return shared
		}
		options := options
		options.Credentials = func(_ context.Context, registry string) (remote.Credential, error) {
			if registry != t.ref.Registry() {
				return remote.Credential{}, nil
			}
			return cred, nil
		}
		return remote.NewClient(options)
	}
	from, to := clientOf(own[0], src), clientOf(own[1], dst)
	return func(t target, scope string) (oci.Repository, error) {
		switch {
		case t.path != "":
			return openLayout(t.path, scope)
		case t == src:
			return openRemote(from, t.ref)
		}
		return openRemote(to, t.ref)
	}
}

// openDestination opens a place to copy to. A layout is made if there is none: a
// tarball if its name says so.
func (a *app) openDestination(ctx context.Context, t target, scope string, open placeOpener) (*writable, error) {
	if t.path == "" {
		return openWritable(ctx, t, open)
	}
	info, err := os.Stat(t.path)
	if tar := err == nil && info.Mode().IsRegular(); tar || err != nil && strings.HasSuffix(t.path, ".tar") {
		staging, err := layout.Stage(ctx, t.path, layout.Options{Name: scope})
		if err != nil {
			return nil, err
		}
		return &writable{Store: staging, staging: staging}, nil
	}
	directory, made := (*layout.Repository)(nil), errors.Is(err, fs.ErrNotExist)
	if directory, err = layout.Create(ctx, t.path, layout.Options{Name: scope}); err != nil {
		return nil, err
	}
	w := &writable{Store: directory}
	if made {
		w.made = directory
	}
	return w, nil
}
