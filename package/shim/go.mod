module omnifn.example/function

go 1.21

require github.com/GoogleCloudPlatform/functions-framework-go v1.9.2
