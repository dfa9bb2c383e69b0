package anonymize

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/model"
)

// Key makes the replacements. Who has it can try which address, name or path became
// which.
type Key struct {
	secret    []byte
	addresses *prefixes
	numbers   map[uint32]uint32
	texts     map[text]string
}

type text struct{ prefix, value string }

// remembered bounds what is kept of replacements: they can be made again.
const remembered = 1 << 16

// NewKey returns the key that a secret of any length makes. For one secret in thirty the
// first key of addresses would make private ones loopback or unspecified: the next one that
// does not is taken.
func NewKey(secret []byte) (*Key, error) {
	k := &Key{secret: secret, numbers: map[uint32]uint32{}, texts: map[text]string{}}
	for again := 0; ; again++ {
		label := "addresses"
		if again > 0 {
			label += strconv.Itoa(again)
		}
		sum := sha256.Sum256(append([]byte(label+"\x00"), secret...))
		var err error
		if k.addresses, err = newPrefixes(&sum); err != nil || !k.addresses.misleads() {
			return k, err
		}
	}
}

// Record replaces what of r must not be known.
func (k *Key) Record(r *model.Record) { k.walk(reflect.ValueOf(r).Elem(), "") }

// way is how a field is replaced.
type way func(*Key, reflect.Value)

func kept(*Key, reflect.Value) {}

func removed(_ *Key, v reflect.Value) { v.SetString("") }

func named(prefix string) way {
	return func(k *Key, v reflect.Value) { v.SetString(k.name(prefix, v.String())) }
}

// paths replaces each element by itself, so that what is below one folder stays so.
func paths(k *Key, v reflect.Value) {
	elements := strings.Split(v.String(), "/")
	for i, element := range elements {
		elements[i] = k.name("p", element)
	}
	v.SetString(strings.Join(elements, "/"))
}

func containerID(k *Key, v reflect.Value) {
	if v.String() != "" {
		sum := k.sum("container", v.String())
		v.SetString(strings.ToLower(base32Hex(sum[:])))
	}
}

func numbered(k *Key, v reflect.Value) { v.SetInt(int64(k.number(uint32(v.Int())))) }

func namespace(k *Key, v reflect.Value) { v.SetUint(uint64(k.number(uint32(v.Uint())))) }

// releaseNumbers are what all who build a kernel share; what follows may be a name of
// theirs. Of a capture it is free text.
var releaseNumbers = regexp.MustCompile(`^\d{1,2}\.\d{1,2}(\.\d{1,5})?\b`)

func release(_ *Key, v reflect.Value) { v.SetString(releaseNumbers.FindString(v.String())) }

// ways has the fields, by type and name, that are replaced otherwise than by a
// pseudonym, if texts, or that are replaced at all, if numbers.
var ways = map[string]way{
	"Executable.Path": paths, "Cgroup.Path": paths, "Process.Script": paths,
	"Acceptor.PID": numbered, "Closer.PID": numbered, "Closer.TID": numbered, "PeerProcess.PID": numbered, "Process.PID": numbered, "Signalled.PID": numbered,
	"Acceptor.Name": named("process"), "Closer.Name": named("process"), "PeerProcess.Name": named("process"), "Process.Name": named("process"), "Signalled.Name": named("process"),
	"Process.CommandLine": named("command"), "Process.Service": named("service"), "Systemd.Unit": named("unit"),
	"User.Name": named("user"), "Host.Name": named("host"), "Start.BootID": named("boot"), "Start.Filter": removed,
	"Container.ID": containerID, "Container.Name": named("container"), "Named.Name": named("container"),
	"Namespace.Name": named("namespace"), "Pod.Name": named("pod"), "Pod.UID": named("uid"),

	"Network.NetNS": namespace, "Loss.NetNS": namespace, "Table.NetNS": namespace, "OS.Version": release,

	// Words of closetrace and of the kernel.
	"Container.Runtime": kept, "EventRef.Provider": kept, "Evidence.SoftError": kept, "Facts.ID": kept, "Facts.PeerEnd": kept,
	"Evidence.InferredWhy": kept, "Judgement.ConfidenceReason": kept, "Judgement.Rule": kept, "Loss.Where": kept, "OS.Type": kept,
	"RST.Reason": kept, "Record.Error": kept, "Start.Backend": kept, "Stop.Reason": kept, "Stray.Hit": kept, "TCP.Error": kept,
	"Tool.Version": kept,
}

func (k *Key) walk(v reflect.Value, name string) {
	switch p := v.Addr().Interface().(type) {
	case *netip.Addr:
		*p = k.addresses.replace(*p)
		return
	case *model.Opt[uint32]:
		if uid, known := p.Get(); known && (name == "User.ID" || name == "Loss.UID" || name == "Table.UID") {
			*p = model.Some(k.number(uid))
		}
		return
	case *model.Fingerprint: // two sequence numbers, which a capture has as well
		if *p != 0 {
			sum := k.sum("fingerprint", p.String())
			*p = model.Fingerprint(binary.BigEndian.Uint64(sum[:]))
		}
		return
	}
	if replace, found := ways[name]; found {
		replace(k, v)
		return
	}
	switch v.Kind() {
	case reflect.String:
		named("text")(k, v)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				k.walk(v.Field(i), v.Type().Name()+"."+f.Name)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			k.walk(v.Index(i), name)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			k.walk(v.Elem(), name)
		}
	default: // counts, states and times
	}
}

func (k *Key) sum(kind, value string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte(kind + "\x00" + value))
	h.Sum(sum[:0])
	return sum
}

func base32Hex(b []byte) string {
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// name returns a pseudonym; nothing stays nothing.
func (k *Key) name(prefix, value string) string {
	if value == "" {
		return ""
	}
	key := text{prefix, value}
	if t, found := k.texts[key]; found {
		return t
	}
	if len(k.texts) >= remembered {
		clear(k.texts)
	}
	sum := k.sum(prefix, value)
	t := prefix + "-" + strings.ToLower(base32Hex(sum[:5]))
	k.texts[key] = t
	return t
}

// number returns a number of 31 bits, as long as those of processes and users can be;
// 0 stays: of users it is root, of processes none.
func (k *Key) number(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	if m, found := k.numbers[n]; found {
		return m
	}
	if len(k.numbers) >= remembered {
		clear(k.numbers)
	}
	var text [4]byte
	binary.BigEndian.PutUint32(text[:], n)
	sum := k.sum("number", string(text[:]))
	m := binary.BigEndian.Uint32(sum[:])>>1 | 1
	k.numbers[n] = m
	return m
}
