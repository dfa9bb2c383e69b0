package main

import (
	"bufio"
	"io"
	"regexp"
	"slices"
	"strings"
)

// debPackage is what an index of Debian packages says about one of them.
type debPackage struct {
	Name, Version, Filename, SHA256 string
}

// parsePackages reads the paragraphs of an index.
func parsePackages(r io.Reader) ([]debPackage, error) {
	var all []debPackage
	var p debPackage
	fields := map[string]*string{
		"Package": &p.Name, "Version": &p.Version, "Filename": &p.Filename, "SHA256": &p.SHA256,
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // some packages provide very much
	for lines.Scan() {
		if lines.Text() == "" && p.Name != "" {
			all = append(all, p)
			p = debPackage{}
		}
		key, value, _ := strings.Cut(lines.Text(), ": ")
		if field, wanted := fields[key]; wanted {
			*field = value
		}
	}
	if p.Name != "" {
		all = append(all, p)
	}
	return all, lines.Err()
}

// imageName splits the name of a kernel's package into its release and, in
// there, the flavour, which Debian's plain kernels do not name. Two numbers only,
// as in linux-image-6.12-cloud-amd64, is a package without files.
var imageName = regexp.MustCompile(`^linux-image-(\d+\.\d+\.\d+\S*?(-cloud|-rt|)-(?:amd64|arm64))$`)

// splitFlavour returns what is asked for by a name such as 6.12, 6.12-plain or
// 6.12.107-rt. Without a flavour it is cloud: those are the smallest packages.
func splitFlavour(name string) (series, flavour string) {
	series, flavour, named := strings.Cut(name, "-")
	if !named {
		flavour = "cloud"
	}
	return series, flavour
}

// hasFlavour reports whether the name of an image's package is of that flavour.
func hasFlavour(image debPackage, flavour string) bool {
	m := imageName.FindStringSubmatch(image.Name)
	return m != nil && (m[2] == "-"+flavour || m[2] == "" && flavour == "plain")
}

// images lists the kernels that a name such as 6.12 or 6.12-rt asks for, newest
// first. After those of a single release, such as 6.12.107, come those of its
// series: a release that has left the mirror is replaced by the newest one.
func images(all []debPackage, name string) []debPackage {
	series, flavour := splitFlavour(name)
	var found []debPackage
	for try := series; strings.Contains(try, "."); try = try[:strings.LastIndex(try, ".")] {
		start := len(found)
		for _, p := range all {
			if hasFlavour(p, flavour) && inSeries(p.Version, try) && !slices.Contains(found, p) {
				found = append(found, p)
			}
		}
		slices.SortFunc(found[start:], func(a, b debPackage) int { return compareVersions(b.Version, a.Version) })
	}
	return found
}

// inSeries compares whole numbers: 6.1.9-1 is in series 6.1, 6.12.9-1 is not.
func inSeries(version, series string) bool {
	rest, ok := strings.CutPrefix(version, series)
	return ok && (rest == "" || !isDigit(rest[0]))
}

// release is what uname -r says about the kernel in an image package.
func release(image debPackage) string { return imageName.FindStringSubmatch(image.Name)[1] }

// imageParts returns the packages that hold the files of an image. Since 7.0
// the image package is empty and they lie in linux-base, -binary and -modules.
func imageParts(all []debPackage, image debPackage) []debPackage {
	parts := []debPackage{image}
	for _, kind := range []string{"base", "binary", "modules"} {
		for _, p := range all {
			if p.Name == "linux-"+kind+"-"+release(image) && p.Version == image.Version {
				parts = append(parts, p)
				break
			}
		}
	}
	return parts
}

// lacksModules reports whether the parts of an image are not all there: backports
// lose linux-modules, which another source package makes, before linux-binary.
func lacksModules(parts []debPackage) bool {
	has := func(kind string) bool {
		return slices.ContainsFunc(parts, func(p debPackage) bool { return strings.HasPrefix(p.Name, "linux-"+kind+"-") })
	}
	return has("binary") && !has("modules")
}
