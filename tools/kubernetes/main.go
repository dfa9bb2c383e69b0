// Command kubernetes reads manifests from standard input and checks each object against
// the types of the Kubernetes API: a field that the API does not have is an error.
//
//	go run . <manifests.yaml
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	n, err := check(os.Stdin)
	if err == nil && n == 0 {
		err = errors.New("no object")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
	fmt.Println(n, "objects are what the API has")
}

func check(r io.Reader) (n int, err error) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	for documents := yaml.NewYAMLReader(bufio.NewReader(r)); ; n++ {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		if _, _, err := strict.Decode(text, nil, nil); err != nil {
			return n, fmt.Errorf("object %d: %w", n+1, err)
		}
	}
}
