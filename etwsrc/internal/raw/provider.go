package raw

import "encoding/binary"

// Provider is a provider that closetrace knows.
type Provider uint8

// The providers. Their GUIDs are in the providers' manifests; those of the
// classic classes in evntrace.h and the MOF documentation.
const (
	Other         Provider = iota // any other provider
	TCPIP                         // Microsoft-Windows-TCPIP: the TCP stack (tcpip.sys)
	AFD                           // Microsoft-Windows-Winsock-AFD: the socket layer in the kernel (afd.sys)
	Sockets                       // Microsoft-Windows-Winsock-Sockets: the socket calls (ws2_32.dll, Windows 11)
	KernelNetwork                 // Microsoft-Windows-Kernel-Network
	KernelTCP                     // NT kernel logger, class TcpIp (MOF)
	LostEvents                    // RTLostEvent: the session itself reports a loss
	providerCount
)

// Providers is the number of values of Provider.
const Providers = int(providerCount)

var providerNames = [...]string{
	Other:         "",
	TCPIP:         "Microsoft-Windows-TCPIP",
	AFD:           "Microsoft-Windows-Winsock-AFD",
	Sockets:       "Microsoft-Windows-Winsock-Sockets",
	KernelNetwork: "Microsoft-Windows-Kernel-Network",
	KernelTCP:     "NT Kernel Logger MOF TcpIp",
	LostEvents:    "RT_LostEvent",
}

// String returns the provider's registered name.
func (p Provider) String() string { return providerNames[p] }

var providerGUIDs = [...]GUID{
	// 2f07e2ee-15db-40f1-90ef-9d7ba282188a
	TCPIP: {0xee, 0xe2, 0x07, 0x2f, 0xdb, 0x15, 0xf1, 0x40, 0x90, 0xef, 0x9d, 0x7b, 0xa2, 0x82, 0x18, 0x8a},
	// e53c6823-7bb8-44bb-90dc-3f86090d48a6
	AFD: {0x23, 0x68, 0x3c, 0xe5, 0xb8, 0x7b, 0xbb, 0x44, 0x90, 0xdc, 0x3f, 0x86, 0x09, 0x0d, 0x48, 0xa6},
	// bde46aea-2357-51fe-7367-d5296f530bd1
	Sockets: {0xea, 0x6a, 0xe4, 0xbd, 0x57, 0x23, 0xfe, 0x51, 0x73, 0x67, 0xd5, 0x29, 0x6f, 0x53, 0x0b, 0xd1},
	// 7dd42a49-5329-4832-8dfd-43d979153a88
	KernelNetwork: {0x49, 0x2a, 0xd4, 0x7d, 0x29, 0x53, 0x32, 0x48, 0x8d, 0xfd, 0x43, 0xd9, 0x79, 0x15, 0x3a, 0x88},
	// 9a280ac0-c8e0-11d1-84e2-00c04fb998a2
	KernelTCP: {0xc0, 0x0a, 0x28, 0x9a, 0xe0, 0xc8, 0xd1, 0x11, 0x84, 0xe2, 0x00, 0xc0, 0x4f, 0xb9, 0x98, 0xa2},
	// 6a399ae0-4bc6-4de9-870b-3657f8947e7e
	LostEvents: {0xe0, 0x9a, 0x39, 0x6a, 0xc6, 0x4b, 0xe9, 0x4d, 0x87, 0x0b, 0x36, 0x57, 0xf8, 0x94, 0x7e, 0x7e},
}

// GUID returns the provider's identity.
func (p Provider) GUID() GUID { return providerGUIDs[p] }

// ProviderOf returns which known provider g is, or Other.
func ProviderOf(g *GUID) Provider {
	// The first group differs between all of them: one comparison decides.
	var p Provider
	switch binary.LittleEndian.Uint32(g[:]) {
	case 0x2f07e2ee:
		p = TCPIP
	case 0xe53c6823:
		p = AFD
	case 0xbde46aea:
		p = Sockets
	case 0x7dd42a49:
		p = KernelNetwork
	case 0x9a280ac0:
		p = KernelTCP
	case 0x6a399ae0:
		p = LostEvents
	default:
		return Other
	}
	if *g != providerGUIDs[p] {
		return Other
	}
	return p
}
