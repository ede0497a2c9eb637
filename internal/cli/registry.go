package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// maxPasswordBytes bounds a password or token on standard input.
const maxPasswordBytes = 64 << 10

// credentialOptions are a user name and password, given in one of several
// ways.
type credentialOptions struct {
	username, password string
	passwordStdin      bool
	typed              bool // the password was typed by a person and is on no command line

	side string // "from" or "to" where a command speaks to two registries, and each has its own
}

// flag and variable return the names under which a word of a credential is
// given: --username and $NOTATION_USERNAME, or --from-username and
// $NOTATION_FROM_USERNAME.
func (o *credentialOptions) flag(word string) string {
	if o.side != "" {
		word = o.side + "-" + word
	}
	return "--" + word
}

func (o *credentialOptions) variable(word string) string {
	if o.side != "" {
		word = o.side + "_" + word
	}
	return "NOTATION_" + strings.ToUpper(word)
}

func (o *credentialOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.username, "username", "u", "", "user name for the registry (default $NOTATION_USERNAME)")
	f.StringVarP(&o.password, "password", "p", "", "password for the registry; other users of this machine may see it (default $NOTATION_PASSWORD)")
	f.BoolVar(&o.passwordStdin, "password-stdin", false, "read the password from standard input")
}

// read returns the credential that was given, or the zero one.
func (o *credentialOptions) read(ctx context.Context, a *app) (remote.Credential, error) {
	cred := remote.Credential{Username: o.username, Password: o.password}
	user, secret := a.env.Getenv(o.variable("username")), a.env.Getenv(o.variable("password"))
	switch {
	case o.password != "" && o.passwordStdin:
		return remote.Credential{}, reason.Errorf(reason.UsageFlag, "--password and --password-stdin cannot be mixed").WithHint("use --password-stdin alone")
	case o.password != "" && !o.typed && o.side == "":
		a.warn("a password on the command line can be seen by others; --password-stdin is safer")
	case o.password != "" && !o.typed:
		a.warn("a password on the command line can be seen by others; $%s is safer", o.variable("password"))
	case o.passwordStdin:
		data, err := a.readStdin(ctx, maxPasswordBytes)
		if err != nil {
			return remote.Credential{}, err
		}
		cred.Password = strings.TrimRight(string(data), "\r\n")
		if cred.Password == "" {
			return remote.Credential{}, reason.Errorf(reason.UsageStdin, "standard input holds no password").WithHint("pipe the password into the command")
		}
	}
	cred.Source = o.source(cred, user, secret)
	if cred.Username == "" {
		cred.Username = user
	}
	if cred.Password == "" {
		cred.Password = secret
	}
	if cred.Username == "" && cred.Password == "" {
		return remote.Credential{}, nil
	}
	if cred.Username == "" || cred.Password == "" {
		safe := o.flag("password-stdin")
		if o.side != "" {
			safe = "$" + o.variable("password")
		}
		return remote.Credential{}, reason.Errorf(reason.UsageFlag, "a user name and a password belong together, and one of them is missing").
			WithHint("give %s and %s, or set $%s and $%s", o.flag("username"), safe, o.variable("username"), o.variable("password"))
	}
	return cred, nil
}

// source says where a credential comes from: what was given, and the variables.
func (o *credentialOptions) source(given remote.Credential, user, secret string) string {
	var sources []string
	if given.Username != "" {
		sources = append(sources, o.flag("username"))
	} else if user != "" {
		sources = append(sources, "$"+o.variable("username"))
	}
	switch {
	case o.passwordStdin:
		sources = append(sources, o.flag("password-stdin"))
	case given.Password != "":
		sources = append(sources, o.flag("password"))
	case secret != "":
		sources = append(sources, "$"+o.variable("password"))
	}
	return strings.Join(sources, " and ")
}

// registryOptions say how registries are reached.
type registryOptions struct {
	credentials   credentialOptions
	plainHTTP     bool
	caFile        string
	certFile      string
	keyFile       string
	skipTLSVerify bool
	stateless     bool // config.json is of help, but must not be needed
	forceTag      bool

	busy func(registry string, wait time.Duration) // is told of registries that are; nil: nobody
}

func (o *registryOptions) register(cmd *cobra.Command) {
	o.credentials.register(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.plainHTTP, "insecure-registry", false, "use plain HTTP, as is done for localhost by itself")
	f.StringVar(&o.caFile, "ca-file", "", "also trust the certificate authorities in `FILE` for HTTPS")
	// Of a command that signs, --cert-file and --key-file are those of the
	// signature (docs/decisions/keys-in-files.md).
	signs := f.Lookup("key-file") != nil
	f.StringVar(&o.certFile, "tls-cert-file", "", "client certificate `FILE` for HTTPS")
	f.StringVar(&o.keyFile, "tls-key-file", "", "key `FILE` of the client certificate")
	if !signs {
		f.StringVar(&o.certFile, "cert-file", "", "the same as --tls-cert-file")
		f.StringVar(&o.keyFile, "key-file", "", "the same as --tls-key-file")
	}
	f.BoolVar(&o.skipTLSVerify, "insecure-skip-tls-verify", false, "do not verify the registry's certificate")
}

// tls returns the settings for HTTPS, nil for the usual ones.
func (o *registryOptions) tls(ctx context.Context, a *app) (*tls.Config, error) {
	if o.caFile == "" && o.certFile == "" && o.keyFile == "" && !o.skipTLSVerify {
		return nil, nil
	}
	if o.plainHTTP {
		return nil, reason.Errorf(reason.UsageFlag, "--insecure-registry asks for plain HTTP, where the flags for HTTPS mean nothing").
			WithHint("give one or the other; --insecure-skip-tls-verify keeps HTTPS")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.skipTLSVerify}
	if o.skipTLSVerify {
		a.warn("the registry's certificate is not verified")
	}
	if o.caFile != "" {
		if err := addAuthorities(ctx, c, o.caFile); err != nil {
			return nil, err
		}
	}
	if o.certFile == "" && o.keyFile == "" {
		return c, nil
	}
	if o.certFile == "" || o.keyFile == "" {
		return nil, reason.Errorf(reason.UsageFlag, "--tls-cert-file and --tls-key-file, the client's certificate and key, belong together").WithHint("give both")
	}
	cert, err := readLinked(o.certFile, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	key, err := readLinked(o.keyFile, config.MaxKeyFileBytes)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, reason.Wrap(reason.UsageFlag, err, "client certificate %q and key %q cannot be used", o.certFile, o.keyFile).
			WithHint("give a PEM certificate and its PEM key without password")
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// addAuthorities adds the certificates of a file to those of the system.
func addAuthorities(ctx context.Context, c *tls.Config, file string) error {
	certs, err := readCertificates(ctx, file)
	if err != nil {
		return err
	}
	if c.RootCAs, err = x509.SystemCertPool(); err != nil {
		c.RootCAs = x509.NewCertPool() // a system without any of its own
	}
	for _, cert := range certs {
		c.RootCAs.AddCert(cert)
	}
	return nil
}

// client returns the options of the registry client and where it looks for
// credentials. explicit ones are used for every registry.
func (o *registryOptions) client(ctx context.Context, a *app, explicit remote.Credential) (remote.Options, *remote.CredentialStore, error) {
	settings, err := a.settings()
	if err != nil && o.stateless {
		a.warn("the settings are not used: %s", err)
		settings, err = config.Settings{}, nil
	}
	if err != nil {
		return remote.Options{}, nil, err
	}
	tlsConfig, err := o.tls(ctx, a)
	if err != nil {
		return remote.Options{}, nil, err
	}
	store := remote.NewCredentialStore(remote.StoreOptions{
		Explicit:     explicit,
		CredsStore:   settings.CredentialsStore,
		CredHelpers:  settings.CredentialHelpers,
		DockerConfig: a.dockerConfig(),
		Logger:       a.log,
	})
	tokens := ""
	if explicit == (remote.Credential{}) { // which may be known to this command alone
		tokens = a.cacheDir(tokenDir)
	}
	return remote.Options{
		Credentials: store.Find,
		PlainHTTP: func(registry string) bool {
			return o.plainHTTP || slices.Contains(settings.InsecureRegistries, registry)
		},
		TLS:               tlsConfig,
		UserAgent:         "notation/" + buildVersion().Version,
		TokenDir:          tokens,
		ForceReferrersTag: o.forceTag,
		Busy:              o.busy,
		Logger:            a.log,
	}, store, nil
}

// settings reads config.json. A program without home directory has none.
func (a *app) settings() (config.Settings, error) {
	dirs, err := a.dirs()
	if err != nil {
		a.log.Debug("no configuration directory", "error", err)
		return config.Settings{}, nil
	}
	return dirs.Settings()
}

// dockerConfig returns the path of Docker's config.json, "" if not known.
func (a *app) dockerConfig() string {
	if dir := a.env.Getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json")
	}
	home := a.env.Getenv("HOME")
	if a.env.GOOS == "windows" {
		home = a.env.Getenv("USERPROFILE")
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".docker", "config.json")
}

// opener returns a function that opens the repository or layout of each of the
// targets. The registries share one client, and so connections and tokens.
func (a *app) opener(ctx context.Context, o *targetOptions, targets ...target) (func(t target, scope string) (oci.Repository, error), error) {
	if o.layout {
		return func(t target, scope string) (oci.Repository, error) {
			return openLayout(t.path, scope)
		}, nil
	}
	explicit, err := o.registry.credentials.read(ctx, a)
	if err != nil {
		return nil, err
	}
	if explicit != (remote.Credential{}) {
		if err := oneRegistry(targets); err != nil {
			return nil, err
		}
	}
	options, _, err := o.registry.client(ctx, a, explicit)
	if err != nil {
		return nil, err
	}
	client := remote.NewClient(options)
	return func(t target, _ string) (oci.Repository, error) { return openRemote(client, t.ref) }, nil
}

// openOne opens the repository or layout of one target. Nothing is sent yet.
func (a *app) openOne(ctx context.Context, o *targetOptions, t target, scope string) (oci.Repository, error) {
	open, err := a.opener(ctx, o, t)
	if err != nil {
		return nil, err
	}
	return open(t, scope)
}

// oneRegistry keeps a password that was given for one registry from being sent
// to another.
func oneRegistry(targets []target) error {
	for _, t := range targets {
		if one, other := targets[0].ref.Registry(), t.ref.Registry(); one != other {
			return twoRegistries(one, other)
		}
	}
	return nil
}

func twoRegistries(one, other string) error {
	return reason.Errorf(reason.UsageFlag, "a user name and password were given, and the references name two registries, %s and %s, that would both be sent them", one, other).
		WithHint("run the command once for each registry, or use 'notation login'")
}

// openLayout and openRemote keep a nil pointer from becoming an interface that
// is not nil.
func openLayout(path, scope string) (oci.Repository, error) {
	r, err := layout.Open(path, layout.Options{Name: scope})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func openRemote(client *remote.Client, ref oci.Reference) (oci.Repository, error) {
	r, err := client.Repository(ref)
	if err != nil {
		return nil, err
	}
	return r, nil
}
