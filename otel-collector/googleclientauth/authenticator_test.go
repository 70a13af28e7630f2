package googleclientauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// credentialsOf writes a service account's key file whose tokens come from a server of the test's.
func credentialsOf(t *testing.T, tokenURL string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	content, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "of-the-credentials", "client_email": "test@iris.example",
		"private_key": string(pemKey), "token_uri": tokenURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// headersWith are the headers that arrive where an exporter with this configuration sends.
func headersWith(t *testing.T, config *Config) http.Header {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token": "the-token", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	defer tokens.Close()
	var headers http.Header
	far := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers = r.Header }))
	defer far.Close()

	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", credentialsOf(t, tokens.URL))
	a := &authenticator{config: config}
	if err := a.Start(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	transport, err := a.RoundTripper(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Post(far.URL, "application/x-protobuf", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return headers
}

func TestRequestsCarryTheTokenAndTheProjects(t *testing.T) {
	headers := headersWith(t, &Config{Project: "named", QuotaProject: "payer"})
	for name, want := range map[string]string{
		"Authorization": "Bearer the-token", "X-Goog-Project-Id": "named", "X-Goog-User-Project": "payer",
	} {
		if got := headers.Get(name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}

func TestTheProjectOfTheCredentialsIsTheDefault(t *testing.T) {
	headers := headersWith(t, &Config{})
	if got := headers.Get("X-Goog-Project-Id"); got != "of-the-credentials" {
		t.Errorf("project %q", got)
	}
	if got, there := headers["X-Goog-User-Project"]; there {
		t.Errorf("nobody was named to pay, but %q", got)
	}
}

func TestWithoutCredentialsItSaysWhatToDo(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	if err := (&authenticator{config: &Config{}}).Start(context.Background(), nil); err == nil {
		t.Error("started without credentials")
	}
}
