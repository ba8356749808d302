// CLModels
