package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// configuration checks the configuration directory and config.json.
func (d *doctor) configuration() {
	switch info, err := os.Stat(d.dirs.Config); {
	case errors.Is(err, fs.ErrNotExist):
		d.list.add(outcomeNote, "", reason.DoctorDirectory, "it is made when it is needed; $NOTATION_CONFIG names another", fmt.Sprintf("the directory %q is not there yet", d.dirs.Config))
	case err != nil:
		d.list.problem("", reason.Wrap(reason.DoctorDirectory, pathCause(err), "the directory %q cannot be looked at", d.dirs.Config).WithHint("check who may read it"))
	case !info.IsDir():
		d.list.problem("", reason.Errorf(reason.DoctorDirectory, "%q is no directory", d.dirs.Config).WithHint("move it away, or set $NOTATION_CONFIG"))
	default:
		if w := writableFile(d.dirs.Config); w != nil {
			d.list.say(outcomeWarning, "", w)
		} else {
			d.list.ok("", "the directory is %s", d.dirs.Config)
		}
	}
	settings, err := d.dirs.Settings()
	if err != nil {
		d.list.problem("config.json", err)
		return
	}
	d.settings = settings
	if w := writableFile(d.dirs.SettingsFile()); w != nil {
		d.list.say(outcomeWarning, "config.json", w)
	}
	if len(settings.InsecureRegistries) > 0 {
		d.list.add(outcomeNote, "config.json", reason.DoctorPlainHTTP, "remove those from insecureRegistries that have HTTPS",
			"spoken to in plain HTTP: "+strings.Join(settings.InsecureRegistries, ", "))
	}
	if _, err := os.Lstat(d.dirs.SettingsFile()); err != nil {
		d.list.ok("config.json", "is not there, so the usual settings apply")
		return
	}
	d.list.ok("config.json", "can be read, signature format %s", cmp.Or(settings.SignatureFormat, "jws"))
}

// clock checks what can be told of the clock without asking anybody. built is
// when this program was, zero if that is not known.
func (d *doctor) clock(built time.Time) {
	d.list.area = "clock"
	wrong := func(than time.Time, what string) {
		d.list.problem("", reason.Errorf(reason.DoctorClock, "it is %s by this machine's clock, before %s", printedTime(d.now), what+" on "+printedTime(than)).
			WithHint("set the clock, best by NTP"))
	}
	switch {
	case !built.IsZero() && d.now.Before(built):
		wrong(built, "this program was built")
	case !d.newest.IsZero() && d.now.Before(d.newest):
		d.list.add(outcomeWarning, "", reason.DoctorClock, "set the clock, unless that certificate is for the future",
			fmt.Sprintf("it is %s by this machine's clock, before the newest certificate begins to be valid on %s", printedTime(d.now), printedTime(d.newest)))
	default:
		d.list.ok("", "%s", printedTime(d.now))
	}
}

// buildTime returns when the source of this program was committed, zero if
// that is not known.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // zero if malformed
			return t
		}
	}
	return time.Time{}
}

// plugins asks every plugin what it can do.
func (d *doctor) plugins(ctx context.Context) {
	d.list.area = "plugins"
	if d.dirs.Plugins() == "" {
		d.list.add(outcomeNote, "", reason.DoctorDirectory, "set $NOTATION_LIBEXEC to use plugins", "the directory of plugins is not known")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pluginTime)
	defer cancel()
	all, err := pluginHost(d.dirs).List(ctx)
	if err != nil {
		d.list.problem("", err)
		return
	}
	if len(all) == 0 {
		d.list.ok("", "none is installed")
	}
	for _, p := range all {
		if p.Err != nil {
			d.list.problem(p.Name, p.Err)
			continue
		}
		d.list.ok(p.Name, "version %s, %v", p.Metadata.Version, p.Metadata.Capabilities)
	}
}

// cache looks at the cache directory. That it can be written is judged by its
// mode, as nothing is written here.
func (d *doctor) cache() {
	d.list.area = "cache"
	dir := d.dirs.Cache
	if dir == "" {
		d.list.add(outcomeNote, "", reason.DoctorDirectory, "set $NOTATION_CACHE so that revocation answers are kept", "the cache directory is not known")
		return
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.list.ok("", "the directory %s is made when it is needed", dir)
		return
	case err != nil:
		d.list.say(outcomeWarning, "", reason.Wrap(reason.DoctorDirectory, pathCause(err), "the directory %q cannot be looked at", dir).WithHint("check who may read it"))
		return
	case !info.IsDir():
		d.list.say(outcomeWarning, "", reason.Errorf(reason.DoctorDirectory, "%q is no directory, so nothing can be kept", dir).WithHint("move it away, or set $NOTATION_CACHE"))
		return
	}
	if w := writableFile(dir); w != nil {
		d.list.say(outcomeWarning, "", w)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o300 != 0o300 {
		d.list.say(outcomeWarning, "", reason.Errorf(reason.DoctorDirectory, "the directory %q cannot be written (mode %04o), so revocation is asked about anew each time", dir, info.Mode().Perm()).
			WithHint("give yourself the permission: chmod u+rwx %s", dir))
		return
	}
	files, size, whole := usage(dir)
	more := ""
	if !whole {
		more = " or more"
	}
	d.list.ok("", "%s in %s%s in %s", mebibytes(size), count(files, "file"), more, dir)
}

// usage adds up the files below a directory, up to a bound. Links are not
// followed.
func usage(dir string) (files int, size int64, whole bool) {
	seen := 0
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if seen++; seen > maxDoctorEntries {
			return fs.SkipAll
		}
		if err != nil || !e.Type().IsRegular() {
			return nil // what cannot be read counts for nothing
		}
		if info, err := e.Info(); err == nil {
			files++
			size += info.Size()
		}
		return nil
	})
	return files, size, err == nil && seen <= maxDoctorEntries
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// timestamps checks the time-stamping authorities that config.json names. They
// are not asked.
func (d *doctor) timestamps(ctx context.Context) {
	d.list.area = "time stamps"
	urls, files := d.settings.TimestampURLs, d.settings.TimestampRootCerts
	if len(urls) == 0 && len(files) == 0 {
		d.list.ok("", "config.json names no time-stamping authority")
		return
	}
	for _, address := range urls {
		switch u, err := url.Parse(address); {
		case checkAuthority(address) != nil:
			d.list.problem(printableURL(address), reason.Errorf(reason.DoctorTimestampURL, "this is no http or https address with a host").
				WithHint("correct timestampUrls of config.json"))
		case err == nil && u.User != nil:
			d.list.add(outcomeWarning, printableURL(address), reason.DoctorTimestampURL, "leave it out of timestampUrls", "the address holds a user name, which is not for authorities")
		default:
			d.list.ok(printableURL(address), "well-formed")
		}
	}
	d.timestampRoots(ctx, files)
	if len(urls) == 0 {
		d.list.add(outcomeNote, "", reason.DoctorTimestampRoots, "name the authority in timestampUrls", "config.json has timestampRootCerts, but no timestampUrls that would use them")
	}
}

// timestampRoots checks that there are roots for time stamps.
func (d *doctor) timestampRoots(ctx context.Context, files []string) {
	for _, file := range files {
		certs, err := readCertificates(ctx, file)
		if err != nil {
			d.list.problem("", err)
			continue
		}
		fit := true
		for _, c := range certs {
			if err := trust.CheckAnchor(trust.TSA, c); err != nil {
				d.list.problem(file, err)
				fit = false
			}
			d.saw(c.NotBefore)
		}
		if fit {
			d.list.ok(file, "%s of time-stamping authorities", count(len(certs), "root"))
		}
	}
	if len(files) > 0 || len(d.settings.TimestampURLs) == 0 {
		return
	}
	// Without files, the trust stores of type tsa serve.
	roots, err := d.authorities(d.dirs)
	switch {
	case err != nil:
		d.list.problem("", err)
	case len(roots) == 0:
		d.list.problem("", reason.Errorf(reason.DoctorTimestampRoots, "config.json names a time-stamping authority, and no root certificate for it is there").
			WithHint("set timestampRootCerts, or add the root with 'notation cert add --type tsa --store NAME FILE'"))
	}
}

// printableURL is an address without what may be secret: user, password, query
// and fragment.
func printableURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "an address that cannot be parsed"
	case u.Host == "" && u.User == nil:
		address, _, _ = strings.Cut(address, "?")
		address, _, _ = strings.Cut(address, "#")
		return address[strings.LastIndex(address, "@")+1:]
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// proxies shows the proxies of the environment, without credentials.
func (d *doctor) proxies() {
	d.list.area = "proxy"
	found := false
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		value := cmp.Or(d.env.Getenv(name), d.env.Getenv(strings.ToLower(name)))
		if value == "" {
			continue
		}
		found = true
		full := value
		if !strings.Contains(full, "://") { // as net/http reads it
			full = "http://" + full
		}
		if u, err := url.Parse(full); err != nil || u.Hostname() == "" {
			d.list.say(outcomeWarning, "$"+name, reason.Errorf(reason.DoctorProxy, "it is no address of a proxy").WithHint("write it as http://HOST:PORT, or unset it"))
			continue
		}
		message := "requests go through " + printableURL(full)
		if except := cmp.Or(d.env.Getenv("NO_PROXY"), d.env.Getenv("no_proxy")); except != "" {
			message += ", except for " + except
		}
		d.list.add(outcomeNote, "$"+name, reason.DoctorProxy, "", message)
	}
	if !found {
		d.list.ok("", "the environment names none")
	}
}
