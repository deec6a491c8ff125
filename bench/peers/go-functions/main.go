// A greeting and a Pub/Sub handler on Google's Functions Framework for Go; FUNCTION_TARGET chooses.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/cloudevents/sdk-go/v2/event"
)

type published struct {
	Message struct {
		Data []byte `json:"data"`
	} `json:"message"`
}

type order struct {
	ID       uint64 `json:"id"`
	Item     string `json:"item"`
	Quantity uint32 `json:"quantity"`
}

func init() {
	functions.HTTP("greet", greet)
	functions.CloudEvent("receive", receive)
}

func main() {
	if err := funcframework.Start(os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}

func greet(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello from %s\n", r.URL.Path)
}

func receive(_ context.Context, e event.Event) error {
	var p published
	if err := e.DataAs(&p); err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(p.Message.Data, &o); err != nil {
		return err
	}
	if o.Quantity == 0 || o.Item == "" {
		return fmt.Errorf("order %d is of nothing", o.ID)
	}
	return nil
}
