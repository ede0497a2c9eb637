package cli

import (
	"context"
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
}

func (o *copyPlaces) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.fromLayout, "from-oci-layout", false, "read SRC as PATH:tag or PATH@digest in an OCI image layout, a directory or .tar")
	f.StringVar(&o.fromScope, "from-scope", "", "with --from-oci-layout, the `REPOSITORY` that the trust policy is asked about")
	f.BoolVar(&o.toLayout, "to-oci-layout", false, "read DST as PATH:tag in an OCI image layout, a directory or .tar, which is made if need be")
	f.StringVar(&o.toScope, "to-scope", "", "with --to-oci-layout, the `REPOSITORY` that the trust policy is asked about")
	f.BoolVar(&o.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.registry.register(cmd)
}

// parse reads both references.
func (o *copyPlaces) parse(a *app, cmd *cobra.Command, args []string) (src, dst target, err error) {
	for _, side := range []struct {
		layout     bool
		name, with string
		scope      string
	}{{o.fromLayout, "from-scope", "from-oci-layout", o.fromScope}, {o.toLayout, "to-scope", "to-oci-layout", o.toScope}} {
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

// placeOpener returns what opens both places. Registries share one client, and
// so connections and tokens.
func (a *app) placeOpener(ctx context.Context, o *copyPlaces, places ...target) (placeOpener, error) {
	var registries []target
	for _, t := range places {
		if t.path == "" {
			registries = append(registries, t)
		}
	}
	var client *remote.Client
	if len(registries) > 0 {
		explicit, err := o.registry.credentials.read(ctx, a)
		if err != nil {
			return nil, err
		}
		if explicit != (remote.Credential{}) {
			if err := oneRegistry(registries); err != nil {
				return nil, err
			}
		}
		options, _, err := o.registry.client(ctx, a, explicit)
		if err != nil {
			return nil, err
		}
		client = remote.NewClient(options)
	}
	return func(t target, scope string) (oci.Repository, error) {
		if t.path != "" {
			return openLayout(t.path, scope)
		}
		return openRemote(client, t.ref)
	}, nil
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
	directory, err := layout.Create(ctx, t.path, layout.Options{Name: scope})
	if err != nil {
		return nil, err
	}
	return &writable{Store: directory}, nil
}
