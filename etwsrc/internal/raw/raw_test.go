package raw

import "testing"

func TestProvidersHaveTheGUIDsOfTheirManifests(t *testing.T) {
	// docs of the providers; the classic class from evntrace.h
	want := map[Provider]string{
		TCPIP:         "2f07e2ee-15db-40f1-90ef-9d7ba282188a",
		AFD:           "e53c6823-7bb8-44bb-90dc-3f86090d48a6",
		Sockets:       "bde46aea-2357-51fe-7367-d5296f530bd1",
		KernelNetwork: "7dd42a49-5329-4832-8dfd-43d979153a88",
		KernelTCP:     "9a280ac0-c8e0-11d1-84e2-00c04fb998a2",
		LostEvents:    "6a399ae0-4bc6-4de9-870b-3657f8947e7e",
	}
	for p, s := range want {
		g, err := ParseGUID("{" + s + "}")
		if err != nil {
			t.Fatal(err)
		}
		if got := ProviderOf(&g); got != p {
			t.Errorf("ProviderOf(%s) = %d, want %d", s, got, p)
		}
		if got := p.GUID().String(); got != s {
			t.Errorf("%v.GUID() = %s, want %s", p, got, s)
		}
		g[15]++
		if got := ProviderOf(&g); got != Other {
			t.Errorf("ProviderOf(%s) = %v, want none: its last byte differs", g, got)
		}
	}
	if _, err := ParseGUID("not a guid"); err == nil {
		t.Error("ParseGUID of nonsense succeeded")
	}
}
