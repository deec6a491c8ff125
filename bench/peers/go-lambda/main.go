// The request's body comes back with its content type, on AWS's runtime for Go.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(echo)
}

func echo(_ context.Context, request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return events.APIGatewayV2HTTPResponse{
		StatusCode:      200,
		Headers:         map[string]string{"content-type": request.Headers["content-type"]},
		Body:            request.Body,
		IsBase64Encoded: request.IsBase64Encoded,
	}, nil
}
