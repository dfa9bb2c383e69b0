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

// imageName matches kernels for virtual machines. Two numbers only, as in
// linux-image-6.12-cloud-amd64, is a package without files.
var imageName = regexp.MustCompile(`^linux-image-(\d+\.\d+\.\d+\S*-cloud-\w+)$`)

// images lists the kernels of a series, such as 6.12, newest first. After those
// of a single release, such as 6.12.107, come those of its series: a release
// that has left the mirror is replaced by the newest one.
func images(all []debPackage, series string) []debPackage {
	var found []debPackage
	for try := series; strings.Contains(try, "."); try = try[:strings.LastIndex(try, ".")] {
		start := len(found)
		for _, p := range all {
			if imageName.MatchString(p.Name) && inSeries(p.Version, try) && !slices.Contains(found, p) {
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
